"""``trace.json``: the run as a Chrome trace, one track per rank and one for the spans' events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.twin import Twin


def trace_of(
    steps: Sequence[dict[str, Any]], events: Sequence[dict[str, Any]], twin: Twin
) -> dict[str, Any]:
    """Return the trace in microseconds of CLOCK_MONOTONIC: compute and exposed communication."""
    lines: list[dict[str, Any]] = []
    for number, host in enumerate(twin.graph.workers):
        name = f"rank {number} ({host.name})"
        lines.append(
            {"ph": "M", "pid": 1, "tid": number, "name": "thread_name", "args": {"name": name}}
        )
    for step in steps:
        exposed_ns = step["exposed_communication_ns"]
        middle_ns = step["end_ns"] - exposed_ns
        for name, begin_ns, end_ns in (
            (f"step {step['step']}: compute", step["start_ns"], middle_ns),
            ("exposed communication", middle_ns, step["end_ns"]),
        ):
            lines.append(
                {
                    "ph": "X",
                    "pid": 1,
                    "tid": step["rank"],
                    "name": name,
                    "ts": begin_ns / 1000,
                    "dur": (end_ns - begin_ns) / 1000,
                }
            )
    for event in events:
        name = f"{event['kind']} {event.get('target', '')}".strip()
        line = {"ph": "i", "s": "g", "pid": 1, "tid": 0, "name": name, "ts": event["at_ns"] / 1000}
        lines.append(line)
    return {"traceEvents": lines, "displayTimeUnit": "ms"}
