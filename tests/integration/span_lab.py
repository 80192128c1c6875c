"""A running network whose span is set and measured; prints what was found. Run as a script."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.network import Network, running_network
from experiments.twin import twin_of
from tests.fakes.scenarios import scenario_of, tiny
from tests.integration.flow import HEADERS
from topologies.emulation.capabilities import probe
from topologies.emulation.ownership import owned_folder
from topologies.linkstate import LinkState

SPAN = "west-east"
FLOW = Path(__file__).with_name("flow.py")
MS = 10**6
FAT, MANY = 1500, 2000
STATES = {
    "slow and far": LinkState(8 * 10**6, 30 * MS, mtu=9000),
    "lossy": LinkState(50 * 10**6, 3 * MS, loss=0.05, mtu=9000),
    "fast": LinkState(80 * 10**6, 2 * MS, mtu=9000),
}


def flow(network: Network, *, count: int, length: int, gap_ns: int, backward: bool = False) -> Any:
    """Send a flow between the span's probers; return ``[sequence, sent_ns, seen_ns]`` of each."""
    near, far = network.lab.graph.probers(SPAN)
    source, sink = (far, near) if backward else (near, far)
    command = [sys.executable, str(FLOW)]
    receive = [*command, "receive", sink.ip, str(count)]
    with network.lab.popen(sink.name, receive, stdout=subprocess.PIPE) as receiver:
        assert receiver.stdout is not None
        assert receiver.stdout.readline().strip() == "ready"
        send = [*command, "send", sink.ip, str(count), str(length), str(gap_ns)]
        network.lab.run(source.name, send, timeout_s=30)
        return json.loads(receiver.communicate(timeout=30)[0])


def measured(network: Network, state: LinkState) -> dict[str, Any]:
    """Put the span into a state, then send a thin, a fat and a long flow."""
    network.set_spans({SPAN: state})
    for backward in (False, True):  # addresses are resolved, which a burst cannot wait for
        flow(network, count=2, length=100, gap_ns=200 * MS, backward=backward)
    before = network.counters()[SPAN]
    gap_ns = int(0.96 * (1000 + HEADERS) * 8e9 / state.rate_bps)
    found = {
        # Small and far apart, so that each finds the queue empty.
        "thin": flow(network, count=100, length=100, gap_ns=5 * MS),
        # A little faster than the span, which queues 60 of them: they leave at its rate.
        "fat": flow(network, count=FAT, length=1000, gap_ns=gap_ns, backward=True),
        "many": flow(network, count=MANY, length=100, gap_ns=MS // 2),
    }
    after = network.counters()[SPAN]
    drops = [
        a.queue_drops + a.errors - b.queue_drops - b.errors
        for a, b in zip(after, before, strict=True)
    ]
    return {**found, "drops": drops, "state": asdict(state)}


def changed_live(network: Network) -> dict[str, Any]:
    """Change rate and delay, up and down, while a flow passes that every state can carry."""
    states = [
        LinkState(10 * 10**6, 20 * MS, mtu=9000),
        LinkState(90 * 10**6, 2 * MS, mtu=9000),
        LinkState(9 * 10**6, 30 * MS, mtu=9000),
        LinkState(50 * 10**6, 4 * MS, mtu=9000),
    ]
    network.set_spans({SPAN: states[0]})
    moments: list[tuple[int, int]] = []

    def change() -> None:
        for state in states[1:] * 2:
            time.sleep(0.25)
            begin_ns = time.monotonic_ns()
            network.set_spans({SPAN: state})
            moments.append((begin_ns, time.monotonic_ns()))

    changer = threading.Thread(target=change)
    changer.start()
    # 5 Mbit/s for 2 s.
    seen = flow(network, count=2000, length=583, gap_ns=MS)
    changer.join()
    return {
        "seen": seen,
        "moments": moments,
        "delays": [s.delay_ns for s in states[1:] * 2],
        "first": states[0].delay_ns,
    }


def taken_down(network: Network) -> dict[str, Any]:
    """Send while the span is down, and again after it came back."""
    up = LinkState(50 * 10**6, 2 * MS, mtu=9000)
    network.set_spans({SPAN: up})
    working = len(flow(network, count=50, length=100, gap_ns=MS))
    network.set_spans({SPAN: LinkState(50 * 10**6, 2 * MS, mtu=9000, up=False)})
    down = len(flow(network, count=50, length=100, gap_ns=MS))
    counters = network.counters()[SPAN][0]
    network.set_spans({SPAN: up})
    back = len(flow(network, count=50, length=100, gap_ns=MS))
    return {
        "working": working,
        "down": down,
        "down_drops": counters.down_drops + counters.queue_drops,
        "back": back,
    }


def main(logs: Path) -> None:
    scenario = scenario_of(tiny())
    twin = twin_of(scenario)
    machine = probe()
    with (
        owned_folder(f"test-{time.monotonic_ns()}") as folder,
        running_network(twin, machine, scenario, folder=folder, logs=logs) as network,
    ):
        drops = network.lab.unmodelled_drops()
        found: dict[str, Any] = {
            "states": {name: measured(network, state) for name, state in STATES.items()},
            "live": changed_live(network),
            "down": taken_down(network),
        }
        after = network.lab.unmodelled_drops()
        network.calibrate({SPAN: LinkState(20 * 10**6, 10 * MS, mtu=9000)})
        checks = network.measure("here", {SPAN: LinkState(20 * 10**6, 10 * MS, mtu=9000)})
    found["unmodelled"] = {p: n - drops.get(p, 0) for p, n in after.items() if n - drops.get(p, 0)}
    found["checks"] = [asdict(check) for check in checks]
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
