"""Who is faster, said when it is sure; and the advice how to get there is sound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.coverage import autoregressive
from experiments.statistics.comparison import POWER, Side, compare, more_runs, more_steps
from experiments.statistics.estimate import Estimate, estimate
from experiments.statistics.wording import verdict


def side(name: str, mean: float, error: float, *, steps: int = 20, runs: int = 1) -> Side:
    return Side(name, [Estimate(math.log(mean), error, steps - 1)] * runs, [steps] * runs)


def test_shorter_steps_win() -> None:
    found = compare(side("B", 1.0, 0.01), side("A", 1.12, 0.01))
    assert found.ratio == pytest.approx(1.12)
    assert found.low < 1.12 < found.high
    assert (found.decided, found.winner) == (True, "B")
    other = compare(side("A", 1.12, 0.01), side("B", 1.0, 0.01))
    assert other.winner == "B"
    assert verdict(found) == verdict(other) == "B beats A by 12 % (9 to 15)"


def test_large_ratios_are_told_as_times() -> None:
    assert verdict(compare(side("B", 1, 0.01), side("A", 5, 0.01))) == (
        "B is 5 times as fast as A (4.86 to 5.15)"
    )


def test_what_cannot_be_told_apart_says_what_would_do() -> None:
    found = compare(side("A", 1.0, 0.03), side("B", 1.01, 0.03))
    assert not found.decided
    assert found.winner is None
    assert found.more_steps == pytest.approx(20 * (2 * 0.03**2 * 2.8**2 / 0.03**2 - 1), rel=0.1)
    assert verdict(found) == (
        "A and B cannot be told apart (-7.3 % to +10.1 %); about 310 more steps of each would "
        "decide a difference of 3 %"
    )


def test_no_difference_is_an_answer_too() -> None:
    found = compare(side("A", 1.0, 0.003), side("B", 1.001, 0.003))
    assert verdict(found).endswith("there is no difference above 3 %")
    assert found.more_steps == 0


def test_a_difference_that_would_have_shown() -> None:
    found = compare(side("A", 1.0, 0.007, steps=500), side("B", 1.018, 0.007, steps=500))
    assert verdict(found).endswith("a difference of 3 % would most likely have shown")


def test_what_can_never_be_decided_is_said() -> None:
    found = compare(side("A", 1.0, 30.0), side("B", 1.0, 30.0), difference=0.001)
    assert found.more_steps is None
    assert "no number of" in verdict(found)


def test_more_runs_are_advised_where_there_are_several() -> None:
    found = compare(side("A", 1.0, 0.05, runs=3), side("B", 1.01, 0.05, runs=3))
    assert found.more_steps is None
    assert found.more_runs
    assert f"about {found.more_runs} more runs of each" in verdict(found)


def test_phases_of_the_same_runs_are_compared_run_by_run() -> None:
    shifts = (0.0, 0.2, -0.2)  # what each run does to both of its phases
    slow = Side("slow", [Estimate(0.1 + it, 0.001, 20) for it in shifts], [20] * 3)
    fast = Side("fast", [Estimate(it, 0.001, 20) for it in shifts], [20] * 3)
    assert compare(fast, slow, paired=True).winner == "fast"
    assert not compare(fast, slow).decided


def test_the_steps_that_are_advised_decide_as_often_as_promised() -> None:
    random, draw = np.random.default_rng(1), autoregressive(0.3)
    tell, trials, difference = 0, 300, 0.03
    first = Side("A", [Estimate(0.0, 0.1 * math.sqrt(1.3 / 0.7 / 50), 49)], [50])
    more = more_steps(first, first, difference)
    assert more
    for _ in range(trials):
        a, b = (estimate(mean * draw(random, 50 + more)) for mean in (1.0, 1 + difference))
        assert a and b
        tell += compare(Side("A", [a], [1]), Side("B", [b], [1])).decided
    assert tell >= binom.ppf(1e-4, trials, POWER - 0.05)
    assert tell <= binom.ppf(1 - 1e-4, trials, POWER + 0.05)


def test_the_runs_that_are_advised_are_those_of_the_textbook() -> None:
    # sd 0.05 of both, 0.05 to tell: n = 16 (sd / d)^2 and a little for Student's t
    apart = Estimate(0.0, 0.05 * math.sqrt(2 / 4), 6)
    more = more_runs(apart, 4, math.expm1(0.05), paired=False)
    assert more == pytest.approx(17 - 4, abs=1)
    assert more_runs(Estimate(0.0, 0.0, 1), 2, 0.03, paired=True) == 0
    assert more_runs(Estimate(0.0, 0.001, 9), 1, 0.03, paired=True) == 1, "one run has no spread"
