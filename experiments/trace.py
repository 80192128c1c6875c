"""``trace.json``: the run in Chrome's trace format, for Perfetto. All on CLOCK_MONOTONIC, in us.

A process for each rank, whose thread shows its steps and beside it every exchange, which may
overlap; one for the timeline: phases, legs, and what happened; one for the controller; one for the
spans, whose counters are curves. How far the clocks of all of them can be apart was asked (see
`clocks`) and stands in ``otherData``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, pairwise
from typing import Any

from experiments.coherence import PhasePlan
from experiments.timeline import ROUTING
from experiments.twin import Twin

TIMELINE, SPANS, CONTROLLER, FIRST_RANK = 1, 2, 3, 10
"""Process numbers, in the order in which they are shown."""
HAPPENED, PHASES, LEGS = 0, 1, 2
"""Threads of the timeline."""
STEERING = (*ROUTING, "rerouted", "controller restarted")
"""What the controller did, by itself or because it was told to."""
ENDINGS = ("ranks lost", "trained", "measured", "network gone")
"""What may end a leg, if no other leg does before."""
DROPS = {
    "lost": "lost on the line",
    "queue_drops": "queue full",
    "early_drops": "early detection",
    "down_drops": "span down",
    "oversize_drops": "too large",
    "errors": "emulator",
}
"""Why a span may not hand a frame on, by counter."""

Line = dict[str, Any]


def trace_of(
    steps: Sequence[Line],
    events: Sequence[Line],
    samples: Sequence[Line],
    twin: Twin,
    phases: Sequence[PhasePlan] = (),
) -> dict[str, Any]:
    """Return the trace of a run's records: ranks' steps, events, and readings of the spans."""
    names = {TIMELINE: "timeline", SPANS: "spans", CONTROLLER: "controller"}
    names |= {
        FIRST_RANK + rank: f"rank {rank} ({host.name})"
        for rank, host in enumerate(twin.graph.workers)
    }
    lines = [
        {"ph": "M", "pid": pid, "name": key, "args": {field: value}}
        for pid, name in names.items()
        for key, field, value in (
            ("process_name", "name", name),
            ("process_sort_index", "sort_index", pid),
        )
    ]
    threads = {(TIMELINE, HAPPENED): "events", (TIMELINE, PHASES): "phases"}
    threads |= {(TIMELINE, LEGS): "legs", (CONTROLLER, HAPPENED): "actions"}
    threads |= {(pid, 0): "steps" for pid in names if pid >= FIRST_RANK}
    lines += [
        {"ph": "M", "pid": pid, "tid": tid, "name": "thread_name", "args": {"name": name}}
        for (pid, tid), name in threads.items()
    ]
    end_ns = max((step["end_ns"] for step in steps), default=0)
    lines += _steps(steps)
    lines += _exchanges(steps)
    lines += _events(events)
    lines += _phases(phases, end_ns)
    lines += _legs(events, end_ns)
    lines += _curves(samples)
    return {
        "traceEvents": lines,
        "displayTimeUnit": "ms",
        "otherData": {"clock": "CLOCK_MONOTONIC", **_apart(events)},
    }


def _steps(steps: Sequence[Line]) -> Iterator[Line]:
    """Show each step as what was computed, then the exchange that did not hide behind that."""
    for step in steps:
        computed_ns = step["computed_ns"]
        exposed_end_ns = min(step["end_ns"], computed_ns + step["exposed_communication_ns"])
        place = FIRST_RANK + step["rank"], 0
        yield _slice(place, f"step {step['step']}: compute", step["start_ns"], computed_ns)
        yield _slice(place, "exposed communication", computed_ns, exposed_end_ns)


def _exchanges(steps: Sequence[Line]) -> Iterator[Line]:
    numbers = count()
    for step in steps:
        for begin_us, end_us, size in step["exchanges"]:
            line = {
                "cat": "exchange",
                "id2": {"local": f"0x{next(numbers):x}"},  # so that it stays with its rank
                "pid": FIRST_RANK + step["rank"],
                "tid": 0,
                "name": "exchange",
            }
            start_us = step["start_ns"] / 1000
            yield {**line, "ph": "b", "ts": start_us + begin_us, "args": {"bytes": size}}
            yield {**line, "ph": "e", "ts": start_us + end_us}


def _events(events: Sequence[Line]) -> Iterator[Line]:
    for event in events:
        name = f"{event['kind']} {event.get('target', '')}".strip()
        about = {key: it for key, it in event.items() if key not in ("t_s", "at_ns", "kind")}
        yield {
            "ph": "i",
            "s": "t",
            "pid": CONTROLLER if event["kind"] in STEERING else TIMELINE,
            "tid": HAPPENED,
            "name": name,
            "ts": event["at_ns"] / 1000,
            "args": about,
        }


def _phases(phases: Sequence[PhasePlan], end_ns: int) -> Iterator[Line]:
    ends = [*(phase.begin_ns for phase in phases[1:]), end_ns]
    for phase, until_ns in zip(phases, ends, strict=bool(phases)):
        yield _slice((TIMELINE, PHASES), phase.name, phase.begin_ns, until_ns)


def _legs(events: Sequence[Line], end_ns: int) -> Iterator[Line]:
    """Show who trained together from when to when: until ranks were lost, or others took over."""
    begins = [event for event in events if event["kind"] == "training started"]
    stops = [event["at_ns"] for event in events if event["kind"] in (*ENDINGS, "training started")]
    for number, event in enumerate(begins):
        after = [at_ns for at_ns in stops if at_ns > event["at_ns"]]
        ranks = ", ".join(map(str, event["ranks"]))
        until_ns = min(after, default=end_ns)
        about = {"from step": event["step"], "state received (bytes)": event["state_bytes"]}
        name = f"leg {number}: ranks {ranks}"
        yield {**_slice((TIMELINE, LEGS), name, event["at_ns"], until_ns), "args": about}


def _curves(samples: Sequence[Line]) -> Iterator[Line]:
    """Show what each direction of a span carried, held and dropped, from reading to reading."""
    ways: dict[tuple[str, str], list[Line]] = {}
    for sample in samples:
        ways.setdefault((sample["span"], sample["direction"]), []).append(sample)
    for (span, direction), readings in ways.items():
        about = f"{span} {direction}"
        causes = [it for it in DROPS if readings[-1].get(it) != readings[0].get(it)] or [*DROPS][:1]
        for sample in readings:
            if "queued_bytes" in sample:
                queued = {"bytes": sample["queued_bytes"]}
                yield _counter(f"{about} queue", sample["at_ns"], queued)
        for before, after in pairwise(readings):
            passed_s = (after["at_ns"] - before["at_ns"]) / 1e9
            if passed_s <= 0:
                continue
            rate = (after["delivered_bytes"] - before["delivered_bytes"]) * 8 / 1e6 / passed_s
            yield _counter(f"{about} rate", before["at_ns"], {"Mbit/s": round(rate, 3)})
            drops = {
                f"{DROPS[key]}/s": round((after.get(key, 0) - before.get(key, 0)) / passed_s, 3)
                for key in causes
            }
            yield _counter(f"{about} drops", before["at_ns"], drops)
        end_ns = readings[-1]["at_ns"]  # nothing is known of what came after
        yield _counter(f"{about} rate", end_ns, {"Mbit/s": 0.0})
        yield _counter(f"{about} drops", end_ns, {f"{DROPS[key]}/s": 0.0 for key in causes})


def _apart(events: Sequence[Line]) -> dict[str, Any]:
    """Return how far clocks can be apart, where that was asked."""
    asked = [event["at_most_us"] for event in events if event["kind"] == "clocks compared"]
    return {"clocks at most us apart": asked[-1]} if asked else {}


def _slice(place: tuple[int, int], name: str, begin_ns: int, end_ns: int) -> Line:
    return {
        "ph": "X",
        "pid": place[0],
        "tid": place[1],
        "name": name,
        "ts": begin_ns / 1000,
        "dur": max(0, end_ns - begin_ns) / 1000,
    }


def _counter(name: str, at_ns: int, values: Mapping[str, float]) -> Line:
    return {"ph": "C", "pid": SPANS, "name": name, "ts": at_ns / 1000, "args": dict(values)}
