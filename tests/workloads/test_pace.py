"""The time table of a step, on a clock that only moves when somebody sleeps or computes."""

from __future__ import annotations

import pytest

from workloads import compute
from workloads.compute import Pace

MS = 10**6


class Clock:
    def __init__(self) -> None:
        self.now_ns = 5 * MS

    def monotonic_ns(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def step(self, pace: Pace, layers: int, arithmetic_ms: float, **declared: int) -> list[float]:
        """Do a step of such passes; return when each gradient was there, in ms."""
        start_ns = self.now_ns
        pace.begin(start_ns, **declared)
        ready = []
        for layer in range(layers):
            self.now_ns += int(arithmetic_ms * MS)
            pace.forward_done(layer)
        for layer in reversed(range(layers)):
            pace.backward_begins(layer)
            self.now_ns += int(arithmetic_ms * MS)
            ready.append((self.now_ns - start_ns) / MS)
        return ready


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(compute, "time", clock)
    return clock


def test_layers_take_their_share(clock: Clock) -> None:
    pace = Pace(120 * MS, 3, [1, 2, 1])
    start_ns = clock.now_ns
    pace.begin(start_ns)
    found = []
    for layer in (0, 1, 2):
        pace.forward_done(layer)
        found.append((clock.now_ns - start_ns) / MS)
    for layer in (2, 1, 0):
        pace.backward_begins(layer)
        found.append((clock.now_ns - start_ns) / MS)
    assert found == pytest.approx([10, 30, 40, 60, 100, 120])
    assert (pace.computed_ns - start_ns, pace.late_ns) == (120 * MS, 0)


def test_arithmetic_comes_to_lie_inside_the_time_of_its_layer(clock: Clock) -> None:
    pace = Pace(120 * MS, 2)
    first = clock.step(pace, 2, arithmetic_ms=8)
    assert first == pytest.approx([88, 128]), "how long it takes is not known yet"
    for _ in range(40):
        last = clock.step(pace, 2, arithmetic_ms=8)
    # Of the first layer's nobody knows: nothing is paced after it.
    assert last == pytest.approx([80, 128], abs=0.01)
    assert pace.late_ns == 0


def test_arithmetic_that_does_not_fit_makes_the_step_late(clock: Clock) -> None:
    pace = Pace(40 * MS, 2)
    clock.step(pace, 2, arithmetic_ms=20)
    # 40 ms forward and 20 ms of the last layer's backward pass, of 40 ms declared.
    assert pace.late_ns == pytest.approx(20 * MS)
    clock.step(pace, 2, arithmetic_ms=1)
    assert pace.late_ns == 0


def test_a_step_may_take_longer_than_others(clock: Clock) -> None:
    pace = Pace(30 * MS, 1)
    assert clock.step(pace, 1, arithmetic_ms=0) == pytest.approx([30])
    assert clock.step(pace, 1, arithmetic_ms=0, compute_ns=90 * MS) == pytest.approx([90])
    assert pace.declared_ns == 90 * MS
    assert clock.step(pace, 1, arithmetic_ms=0) == pytest.approx([30])
