"""Runs in the guest: ``python -m benchmarks.guest.inside FOLDER``; see `benchmarks.guest`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mininet.link import TCLink
from mininet.log import setLogLevel
from mininet.net import Mininet

from benchmarks import native
from benchmarks.estimators import deviation
from benchmarks.hosts import Pair, bare_spans, goodput_bps, joined_hosts
from topologies.linkstate import Duplex, Jitter, LinkState

MTU = 1500
DELAY_NS = 1_000_000


def main(folder: Path) -> None:
    """Do the job in a folder, row by row; leave what was found so far after each row."""
    job = json.loads((folder / "job.json").read_text())
    native.use(Path(job["traffic"]))
    setLogLevel("critical")
    Mininet.inited = True  # raises no limits of the machine
    found: dict[str, Any] = {}

    def keep(kind: str, row: dict[str, float | None]) -> None:
        found.setdefault(kind, []).append(row)
        (folder / "found.json").write_text(json.dumps(found))

    for row in job.get("shaping", []):
        rate_bps, seconds = row["rate_bps"], row["seconds"]
        keep(
            "shaping",
            {
                "mininet_kbps": _tried(partial(_mininet_goodput, rate_bps, seconds)),
                "netem_kbps": _tried(partial(_netem_goodput, rate_bps, seconds)),
            },
        )
    links, count = job.get("jitter", []), job.get("count", 0)
    ours = _tried(partial(_netem_jitters, links, count)) if links else None
    for index, (latency, jitter) in enumerate(links):
        theirs = _tried(partial(_mininet_jitter, latency, jitter, min(count, 400)))
        keep("jitter", {"mininet_ms": theirs, "netem_ms": ours[index] if ours else None})


def _tried(measure: Callable[[], Any]) -> Any:
    """Return what was measured, or None where that failed: the log says why."""
    try:
        return measure()
    except Exception:
        traceback.print_exc()
        return None


@contextmanager
def _mininet_pair(**link: Any) -> Iterator[Pair]:
    """Start two hosts joined by one of Mininet's own links."""
    net = Mininet(controller=None, autoSetMacs=True)
    near, far = net.addHost("h1"), net.addHost("h2")
    net.addLink(near, far, cls=TCLink, **link)
    net.start()

    def starter(host: Any) -> Callable[[list[str]], subprocess.Popen[str]]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return lambda command: host.popen(command, **pipes)

    try:
        for host in (near, far):
            host.cmd("sysctl -w net.ipv4.tcp_congestion_control=reno")
        yield Pair(starter(near), starter(far), far.IP())
    finally:
        net.stop()


def _mininet_goodput(rate_bps: int, seconds: int) -> float:
    with _mininet_pair(bw=rate_bps / 1e6, delay="1ms") as pair:
        return goodput_bps(pair, seconds, _omitted(seconds)) / 1e3


def _netem_goodput(rate_bps: int, seconds: int) -> float:
    state = LinkState(rate_bps, DELAY_NS, mtu=MTU)
    with joined_hosts({"span": Duplex.both(state)}, MTU, backend="netem") as (_, pairs):
        return goodput_bps(pairs[0], seconds, _omitted(seconds)) / 1e3


def _omitted(seconds: int) -> int:
    return 2 if seconds < 12 else 0


def _mininet_jitter(latency: float, jitter: float, count: int) -> float:
    """Ping over a link that delays one way."""
    one_way = {"delay": f"{latency}ms", "jitter": f"{jitter}ms"}
    command = ["ping", "-i", "0.01", "-c", str(count), "-W", "2"]
    with (
        _mininet_pair(params1=one_way, params2={}) as pair,
        pair.near([*command, pair.address]) as ping,
    ):
        output, _ = ping.communicate(timeout=count / 20 + 30)
    return deviation([float(text) for text in re.findall(r"time=([0-9.]+) ms", output)][1:])


def _netem_jitters(links: list[tuple[float, float]], count: int) -> list[float]:
    """Send frames over all links at the same time, as on the machine itself."""
    states = {
        f"link{index}": Duplex(
            LinkState(10**9, round(latency * 1e6), jitter=Jitter(round(jitter * 1e6))),
            LinkState(10**9, 0),
        )
        for index, (latency, jitter) in enumerate(links)
    }
    with bare_spans(states, MTU, backend="netem") as spans:
        found = native.probe(list(spans.cables.values()), 98, count, 10_000_000, 0)
    return [deviation([delay_ns / 1e6 for _, delay_ns in delays]) for delays in found]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
