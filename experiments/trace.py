"""``trace.json``: the run in Chrome's trace format, for Perfetto. All on CLOCK_MONOTONIC, in us.

A process for each rank, whose thread shows its steps and beside it every exchange, which may
overlap; one for what happened on the timeline; one for the spans, whose counters are curves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from typing import Any

from experiments.twin import Twin

TIMELINE, SPANS, FIRST_RANK = 1, 2, 10
"""Process numbers, in the order in which they are shown."""

Line = dict[str, Any]


def trace_of(
    steps: Sequence[Line], events: Sequence[Line], samples: Sequence[Line], twin: Twin
) -> dict[str, Any]:
    """Return the trace of a run's records: ranks' steps, events, and readings of the spans."""
    names = {TIMELINE: "timeline", SPANS: "spans"}
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
    lines += _steps(steps)
    lines += _exchanges(steps)
    lines += _events(events)
    lines += _curves(samples)
    return {"traceEvents": lines, "displayTimeUnit": "ms"}


def _steps(steps: Sequence[Line]) -> Iterator[Line]:
    """Show each step as what was computed, then the exchange that did not hide behind that."""
    for step in steps:
        computed_ns = step["computed_ns"]
        exposed_end_ns = min(step["end_ns"], computed_ns + step["exposed_communication_ns"])
        for name, begin_ns, end_ns in (
            (f"step {step['step']}: compute", step["start_ns"], computed_ns),
            ("exposed communication", computed_ns, exposed_end_ns),
        ):
            yield {
                "ph": "X",
                "pid": FIRST_RANK + step["rank"],
                "tid": 0,
                "name": name,
                "ts": begin_ns / 1000,
                "dur": (end_ns - begin_ns) / 1000,
            }


def _exchanges(steps: Sequence[Line]) -> Iterator[Line]:
    numbers = count()
    for step in steps:
        for begin_us, end_us, size in step["exchanges"]:
            line = {
                "cat": "exchange",
                "id": next(numbers),
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
        yield {
            "ph": "i",
            "s": "g",
            "pid": TIMELINE,
            "tid": 0,
            "name": name,
            "ts": event["at_ns"] / 1000,
        }


def _curves(samples: Sequence[Line]) -> Iterator[Line]:
    """Show what left each direction of a span, and what was lost on it, from reading to reading."""
    ways: dict[tuple[str, str], list[Line]] = {}
    for sample in samples:
        ways.setdefault((sample["span"], sample["direction"]), []).append(sample)
    for (span, direction), readings in ways.items():
        for before, after in pairwise(readings):
            passed_s = (after["at_ns"] - before["at_ns"]) / 1e9
            moved = after["delivered_bytes"] - before["delivered_bytes"]
            lost = sum(after[key] - before[key] for key in ("lost", "queue_drops", "early_drops"))
            for name, value in (
                (f"{span} {direction}, Mbit/s", moved * 8 / 1e6 / passed_s),
                (f"{span} {direction}, frames lost/s", lost / passed_s),
            ):
                yield {
                    "ph": "C",
                    "pid": SPANS,
                    "name": name,
                    "ts": before["at_ns"] / 1000,
                    "args": {"value": round(value, 3)},
                }
