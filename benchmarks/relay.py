"""The relay beside a C program that moves the same frames and does nothing to them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.native import Flood, flood, pump
from benchmarks.processes import busy_processors, processor_ns, relay_pids, wakeups
from benchmarks.scoreboard import Study, Table, Target
from topologies.emulation.impairer import LATENESS_EDGES_US, lateness_quantile_us
from topologies.emulation.kernel import private_network
from topologies.emulation.relay.impairer import RelayImpairer
from topologies.linkstate import ETHERNET_HEADER, Duplex, LinkState

MTUS = {1500: 1.0, 9000: 4.0}
"""What a span must carry at least, Gbit/s, by MTU."""
RATE_BPS = 40 * 10**9
"""Of the spans: more than any of them can carry."""
DELAYS_NS = (0, 5_000_000)
WINDOW = 512
"""Frames under way: fewer than the 1,000 that a TAP device holds, so that none is lost."""
FAR_WINDOW = {1500: 4096, 9000: 1024}
"""The same where a delay keeps them: 10 Gbit/s and more in 5 ms."""
START_S, IDLE_WAKEUPS, RATIO = 1.0, 0, 0.9
LATENESS_US = 500


@dataclass
class Run:
    """One flood: both directions summed, and processor time of what carried it, per frame."""

    gbps: float
    frame_ns: float
    busy: float
    missing: int


def run(quick: bool) -> Study:
    """Measure throughput and cost of a frame, start-up, idleness and lateness."""
    study = Study("relay", "The relay beside a plain C pump")
    rounds, flood_s = (3, 0.4) if quick else (11, 0.5)
    carried = Table(
        [
            "MTU",
            "directions",
            "",
            "Gbit/s, median",
            "best",
            "ns per frame, median",
            "least",
            "ratio",
        ],
        caption="Throughput on the wire without loss, and processor time per frame",
    )
    study.tables.append(carried)
    with private_network():
        for mtu, least_gbps in MTUS.items():
            for both_ways in (False, True):
                runs = _alternate(mtu, both_ways, rounds, flood_s)
                ways = "both" if both_ways else "one"
                study.raw[f"mtu {mtu} {ways}"] = {
                    k: [r.__dict__ for r in v] for k, v in runs.items()
                }
                yardstick = min(r.frame_ns for r in runs["pump"])
                for kind, found in runs.items():
                    least_ns = min(r.frame_ns for r in found)
                    carried.rows.append(
                        [
                            *(mtu, ways, kind),
                            *(median(r.gbps for r in found), max(r.gbps for r in found)),
                            *(round(median(r.frame_ns for r in found)), round(least_ns)),
                            yardstick / least_ns,
                        ]
                    )
                if not both_ways:
                    slowest = min(median(r.gbps for r in runs[k]) for k in runs if k != "pump")
                    what = f"span carries at MTU {mtu}"
                    study.targets.append(Target(what, slowest, least_gbps, False, "Gbit/s"))
                nearest = yardstick / min(r.frame_ns for r in runs["relay, 0 ms"])
                what = f"processor time, C pump / span, MTU {mtu}, {ways} way{'s' * both_ways}"
                study.targets.append(Target(what, nearest, RATIO, False))
    for part in (_start, _idle, _late):
        part(study, quick)
    study.remarks += [
        "Pump and relays are alive at the same time and flooded in turn, so that a disturbance "
        "meets all of them; all run under SCHED_FIFO. The generator and sink is one process that "
        "keeps a fixed number of frames under way, so no frame is lost.",
        "The ratio compares the least processor time per frame of all rounds: the generator shares "
        "the processors with whatever else runs, which makes the rates of single rounds differ "
        "several times over, while the least time is what the work costs undisturbed.",
        "A delay of 5 ms keeps up to 9 MB under way: those frames leave from memory, not from a "
        "cache, which the pump never has to pay for.",
    ]
    return study


def _alternate(mtu: int, both_ways: bool, rounds: int, flood_s: float) -> dict[str, list[Run]]:
    """Flood the pump and a relay of each delay in turn; the first round warms up."""
    spans = {f"relay, {delay_ns // 10**6} ms": delay_ns for delay_ns in DELAYS_NS}
    impairer = RelayImpairer(spans, mtu, seed=1)
    try:
        for span, delay_ns in spans.items():
            impairer.apply(span, Duplex.both(_fast(mtu, delay_ns)))
        with pump("pump0a", "pump0b", mtu) as pump_pid:
            carriers = {"pump": (pump_pid, ("pump0a", "pump0b"), WINDOW)}
            for (span, delay_ns), pid in zip(spans.items(), relay_pids(impairer), strict=True):
                window = FAR_WINDOW[mtu] if delay_ns else WINDOW
                carriers[span] = (pid, impairer.cables[span], window)
            runs: dict[str, list[Run]] = {name: [] for name in carriers}
            for turn in range(rounds + 1):
                for name, (pid, (near, far), window) in carriers.items():
                    pairs = [(near, far), (far, near)][: 2 if both_ways else 1]
                    before = processor_ns(pid)
                    found = flood(pairs, mtu + ETHERNET_HEADER, window, flood_s, flood_s / 4)
                    if turn:
                        runs[name].append(_summed(found, processor_ns(pid) - before, flood_s))
    finally:
        impairer.close()
    return runs


def _summed(found: list[Flood], spent_ns: int, flood_s: float) -> Run:
    frames = sum(way.received for way in found)
    return Run(
        gbps=sum(way.rate_bps for way in found) / 1e9,
        frame_ns=spent_ns / max(1, frames),
        busy=spent_ns / 1e9 / flood_s,
        missing=sum(way.missing for way in found),
    )


def _fast(mtu: int, delay_ns: int) -> LinkState:
    return LinkState(RATE_BPS, delay_ns, mtu=mtu, queue_bytes=100 * 10**6)


def _start(study: Study, quick: bool) -> None:
    """Time three spans from nothing to their first state."""
    seconds = []
    for _ in range(3 if quick else 7):
        with private_network():
            begin = time.monotonic()
            impairer = RelayImpairer(["a", "b", "c"], 9000, seed=1)
            try:
                for span in impairer.cables:
                    impairer.apply(span, Duplex.both(_fast(9000, 0)))
                seconds.append(time.monotonic() - begin)
            finally:
                impairer.close()
    study.raw["start_s"] = seconds
    study.targets.append(Target("three spans start", median(seconds), START_S, unit="s"))


def _idle(study: Study, quick: bool) -> None:
    """Count wake-ups and processor time of a relay that has nothing to do."""
    with private_network():
        impairer = RelayImpairer(["idle"], 9000, seed=1)
        try:
            impairer.apply("idle", Duplex.both(_fast(9000, DELAYS_NS[1])))
            (pid,) = relay_pids(impairer)
            time.sleep(0.2)
            before = wakeups(pid), processor_ns(pid)
            time.sleep(2 if quick else 10)
            woken, spent_ns = wakeups(pid) - before[0], processor_ns(pid) - before[1]
        finally:
            impairer.close()
    study.raw["idle"] = {"wakeups": woken, "processor_ns": spent_ns}
    study.targets.append(Target("wake-ups of an idle span", woken, IDLE_WAKEUPS))


def _late(study: Study, quick: bool) -> None:
    """Take the lateness of a span under a steady flood, idle processors and busy ones."""
    headers = ["processors", *(f"<= {edge} us" for edge in LATENESS_EDGES_US), "later"]
    table = Table(headers, caption="Lateness of frames at 400 Mbit/s, share by bucket")
    state = LinkState(400 * 10**6, 5_000_000, mtu=9000, queue_bytes=10**8)
    with private_network():
        impairer = RelayImpairer(["late"], 9000, seed=1)
        try:
            impairer.apply("late", Duplex.both(state))
            before = impairer.counters()["late"][0].lateness
            for name in ("as they are", "all busy"):
                seconds = 2.0 if quick else 8.0
                if name == "all busy":
                    with busy_processors():
                        flood([impairer.cables["late"]], 9014, WINDOW, seconds, 0)
                else:
                    flood([impairer.cables["late"]], 9014, WINDOW, seconds, 0)
                after = impairer.counters()["late"][0].lateness
                histogram = [b - a for a, b in zip(before, after, strict=True)]
                before = after
                table.rows.append([name, *(count / sum(histogram) for count in histogram)])
                study.raw[f"lateness {name}"] = histogram
        finally:
            impairer.close()
    study.tables.append(table)
    late: Any = lateness_quantile_us(study.raw["lateness all busy"], 0.99)
    what = "lateness, 99th percentile, busy processors (upper edge of its bucket)"
    study.targets.append(Target(what, late, LATENESS_US, unit="us"))
