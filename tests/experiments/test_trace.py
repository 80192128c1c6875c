"""The trace is what Chrome's format says, and holds everything that happened at its time."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from experiments.clockbounds import check_clocks
from experiments.trace import CONTROLLER, FIRST_RANK, LEGS, PHASES, TIMELINE, trace_of
from tests.fakes.runs import FakeRun

Line = dict[str, Any]
NEEDS = {
    "M": {"name", "pid", "args"},
    "X": {"name", "pid", "tid", "ts", "dur"},
    "i": {"name", "pid", "tid", "ts", "s"},
    "b": {"name", "pid", "tid", "ts", "cat", "id2"},
    "e": {"name", "pid", "tid", "ts", "cat", "id2"},
    "C": {"name", "pid", "ts", "args"},
}
"""What the Trace Event Format asks of each kind of event that is used."""
METADATA = {"process_name", "process_sort_index", "thread_name"}
ROUNDING_US = 0.002


def check_format(trace: Line) -> None:
    """Fail unless a trace is what viewers of the Trace Event Format read."""
    text = json.dumps(trace, allow_nan=False)
    lines = json.loads(text)["traceEvents"]
    tracks: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    opened: dict[tuple[str, str, int], float] = {}
    named = {it["pid"] for it in lines if it["ph"] == "M" and it["name"] == "process_name"}
    for line in lines:
        assert NEEDS[line["ph"]] <= line.keys(), line
        assert line["pid"] in named, line
        if line["ph"] != "M":
            assert isinstance(line["ts"], int | float) and line["ts"] >= 0, line
        if line["ph"] == "M":
            assert line["name"] in METADATA, line
        elif line["ph"] == "X":
            assert line["dur"] >= 0, line
            tracks[line["pid"], line["tid"]].append((line["ts"], line["ts"] + line["dur"]))
        elif line["ph"] == "i":
            assert line["s"] in "gpt", line
        elif line["ph"] == "C":
            assert line["args"], line
            assert all(isinstance(it, int | float) for it in line["args"].values()), line
        elif line["ph"] == "b":
            opened[line["cat"], line["id2"]["local"], line["pid"]] = line["ts"]
        else:
            assert opened.pop((line["cat"], line["id2"]["local"], line["pid"])) <= line["ts"], line
    assert not opened, "every exchange ends"
    for slices in tracks.values():
        for (_, end), (begin, _) in pairwise(sorted(slices)):
            assert begin >= end - ROUNDING_US, "slices of a track follow each other"


@pytest.fixture
def run(tmp_path: Path) -> FakeRun:
    run = FakeRun(tmp_path / "run")
    for step in run.record.steps:
        step["exchanges"] = [(2000, 9000, 512), (3000, 8000, 512)]
    s = 10**9
    record = run.record
    bounds = {"launcher": 80.5, "controller": 410.0}
    record.event("clocks compared", at_ns=s // 2, at_most_us=bounds)
    record.event("training started", at_ns=s, ranks=[0, 1], step=0, state_bytes=0)
    record.event("ranks lost", at_ns=2 * s, ranks=[1], error="killed", recovery="restart")
    record.event("training started", at_ns=5 * s // 2, ranks=[0, 1], step=3, state_bytes=4096)
    record.event("rerouted", at_ns=3 * s, version=7)
    record.event("drain", at_ns=s + 5, step=1, target="west-east", upgrade=None)
    record.event("measured", at_ns=9 * s)
    record.close()
    return run


def reading(at_s: float, **counted: int) -> Line:
    about = {"at_ns": int(at_s * 1e9), "span": "west-east", "direction": "forward"}
    causes = ("lost", "queue_drops", "early_drops", "down_drops", "oversize_drops", "errors")
    zeros = dict.fromkeys((*causes, "delivered_bytes", "queued_bytes"), 0)
    return {**about, **zeros, **counted}


SAMPLES = [
    reading(1.0),
    reading(2.0, delivered_bytes=250_000, queued_bytes=9000, queue_drops=4),
    reading(4.0, delivered_bytes=250_000, queue_drops=4, down_drops=8, lost=2),
]


def lines(run: FakeRun) -> list[Line]:
    record = run.record
    trace = trace_of(record.steps, record.events, SAMPLES, run.twin, run.session.phases)
    check_format(trace)
    found: list[Line] = trace["traceEvents"]
    return found


def test_it_is_what_the_format_says(run: FakeRun) -> None:
    assert {line["ph"] for line in lines(run)} == set(NEEDS)


def test_a_trace_of_nothing_is_one(run: FakeRun) -> None:
    check_format(trace_of([], [], [], run.twin))


def test_every_span_shows_rate_queue_and_drops_by_cause(run: FakeRun) -> None:
    curves = [(it["name"], it["ts"], it["args"]) for it in lines(run) if it["ph"] == "C"]
    named = {name: args for name, ts, args in curves if ts == 2e6}
    assert [args for name, _, args in curves if name.endswith("queue")] == [
        {"bytes": 0},
        {"bytes": 9000},
        {"bytes": 0},
    ]
    dropped = named["west-east forward drops"]
    assert {cause: rate for cause, rate in dropped.items() if rate} == {
        "span down/s": 4.0,
        "lost on the line/s": 1.0,
    }
    assert set(dropped) == {"span down/s", "lost on the line/s", "queue full/s"}, (
        "what happened at all"
    )
    rates = [args["Mbit/s"] for name, _, args in curves if name.endswith("rate")]
    assert rates == [2.0, 0.0, 0.0], "and nothing after the last reading"


def test_the_controllers_doings_have_a_process_of_their_own(run: FakeRun) -> None:
    moments = [(it["name"], it["ts"]) for it in lines(run) if it["ph"] == "i"]
    steered = [it["name"] for it in lines(run) if it["ph"] == "i" and it["pid"] == CONTROLLER]
    assert steered == ["rerouted", "drain west-east"]
    assert ("rerouted", 3e6) in moments


def test_phases_and_legs_are_slices(run: FakeRun) -> None:
    def slices(tid: int) -> list[tuple[str, float, float]]:
        return [
            (it["name"], it["ts"], it["ts"] + it["dur"])
            for it in lines(run)
            if it["ph"] == "X" and (it["pid"], it["tid"]) == (TIMELINE, tid)
        ]

    end_us = max(step["end_ns"] for step in run.record.steps) / 1000
    assert slices(PHASES) == [
        ("reference", 1e6, 1.4e6),
        ("aged", 1.4e6, 3.4e6),
        ("west-east upgraded", 3.4e6, end_us),
    ]
    assert slices(LEGS) == [
        ("leg 0: ranks 0, 1", 1e6, 2e6),
        ("leg 1: ranks 0, 1", 2.5e6, 9e6),
    ]


def test_it_says_how_far_clocks_can_be_apart(run: FakeRun) -> None:
    record = run.record
    trace = trace_of(record.steps, record.events, [], run.twin)
    apart = trace["otherData"]["clocks at most us apart"]
    assert apart == {"launcher": 80.5, "controller": 410.0}
    assert check_clocks({name: int(us * 1000) for name, us in apart.items()}).ok


def test_ranks_overlap_with_the_phases_that_they_belong_to(run: FakeRun) -> None:
    starts = [it["ts"] for it in lines(run) if it["ph"] == "X" and it["pid"] == FIRST_RANK]
    assert min(starts) == run.session.phases[0].begin_ns / 1000, "one clock"
