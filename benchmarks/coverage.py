"""How often 95 % intervals hold the truth: on simulated steps, whose mean is known.

    python -m benchmarks.coverage          # prints the table of docs/how-it-works.md, two minutes

Beside each interval stands the one that was used before: the middle 95 % of the means of circular
block resamples whose blocks have the cube root of the series' length.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.estimate import Estimate, estimate
from experiments.statistics.median import median_estimate, resamples
from experiments.statistics.pooling import pooled

Floats = NDArray[np.float64]
LENGTHS = (5, 10, 20, 50, 200)
TRIALS = 2000
PERIOD = 10


@dataclass(frozen=True)
class Steps:
    """A kind of series: how it is drawn, its mean, its median if that means something."""

    draw: Callable[[np.random.Generator, int], Floats]
    mean: float
    median: float | None = None
    period: int = 1


def independent(random: np.random.Generator, count: int) -> Floats:
    """Return steps that know nothing of each other, 10 % apart."""
    return 1 + 0.1 * random.standard_normal(count)


def autoregressive(correlation: float) -> Callable[[np.random.Generator, int], Floats]:
    """Return how to draw steps that follow the one before: AR(1), 10 % apart."""

    def draw(random: np.random.Generator, count: int) -> Floats:
        steps = np.empty(count)
        away = random.standard_normal()
        for index, noise in enumerate(random.standard_normal(count)):
            steps[index] = away
            away = correlation * away + math.sqrt(1 - correlation**2) * noise
        return 1 + 0.1 * steps

    return draw


def lognormal(random: np.random.Generator, count: int) -> Floats:
    """Return steps a few of which are ten times as long as most."""
    return random.lognormal(0, 1, count)


def pareto(random: np.random.Generator, count: int) -> Floats:
    """Return steps whose tail is so heavy that their variance just exists."""
    return 1 + random.pareto(3, count)


def meeting(random: np.random.Generator, count: int) -> Floats:
    """Return steps of which every tenth, in which ranks meet, is twice as long, give or take."""
    steps = 1 + 0.01 * random.standard_normal(count)
    meets = np.arange(count) % PERIOD == PERIOD - 1
    steps[meets] += random.lognormal(0, 0.3, int(meets.sum()))
    return steps


SERIES: Mapping[str, Steps] = {
    "independent": Steps(independent, 1.0, 1.0),
    "AR(1), 0.3": Steps(autoregressive(0.3), 1.0, 1.0),
    "AR(1), 0.6": Steps(autoregressive(0.6), 1.0, 1.0),
    "AR(1), 0.8": Steps(autoregressive(0.8), 1.0, 1.0),
    "lognormal, sigma 1": Steps(lognormal, math.exp(0.5), 1.0),
    "Pareto, exponent 3": Steps(pareto, 1.5, 2 ** (1 / 3)),
    "every tenth a meeting": Steps(meeting, 1 + math.exp(0.045) / PERIOD, None, PERIOD),
}


def covered(found: Estimate | None, truth: float) -> bool:
    """Say whether an interval holds the truth."""
    if found is None:
        return False
    low, high = found.interval()
    return low <= truth <= high


def coverage(kind: Steps, count: int, random: np.random.Generator, trials: int) -> float:
    """Return how often the interval of the mean of ``count`` steps holds it."""
    held = (
        covered(estimate(kind.draw(random, count), kind.period), kind.mean) for _ in range(trials)
    )
    return sum(held) / trials


def runs_coverage(
    runs: int, count: int, between: float, random: np.random.Generator, trials: int
) -> float:
    """Return how often pooled runs, ``between`` (log) apart, hold the mean of all such runs."""
    held = 0
    for _ in range(trials):
        shifts = np.exp(between * random.standard_normal(runs))
        found = [estimate(shift * independent(random, count)) for shift in shifts]
        held += covered(pooled([it for it in found if it]), 1.0)
    return held / trials


def _before(kind: Steps, count: int, random: np.random.Generator, trials: int) -> float:
    held = 0
    for _ in range(trials):
        steps, block = kind.draw(random, count), max(1, round(count ** (1 / 3)))
        means = [
            drawn.reshape(len(drawn), -1)[:, :count].mean(axis=1)
            for drawn in resamples(steps, block, random)
        ]
        low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
        held += low <= kind.mean <= high
    return held / trials


def _medians(kind: Steps, count: int, random: np.random.Generator, trials: int) -> float | None:
    if kind.median is None:
        return None
    held = (
        covered(median_estimate(kind.draw(random, count), random, kind.period), kind.median)
        for _ in range(trials)
    )
    return sum(held) / trials


def _lengths(kind: Steps) -> list[int | None]:
    """Return the lengths; none below a period, which nobody could know the mean from."""
    return [None if it < kind.period else it for it in LENGTHS]


def _row(name: str, cells: list[float | None]) -> str:
    said = ["" if cell is None else f"{100 * cell:.0f}" for cell in cells]
    return f"| {name} | {' | '.join(said)} |"


def main() -> None:
    """Print the tables."""
    random = np.random.default_rng(1)
    print(_row("mean of", list[float | None](it / 100 for it in LENGTHS)))
    for name, kind in SERIES.items():
        for what, of, trials in (
            (name, coverage, TRIALS),
            ("before", _before, TRIALS // 8),
            ("median", _medians, TRIALS // 8),
        ):
            print(_row(what, [it and of(kind, it, random, trials) for it in _lengths(kind)]))
    for between in (0.0, 0.02, 0.05):
        cells = [runs_coverage(runs, 20, between, random, TRIALS) for runs in (2, 3, 5, 10)]
        print(_row(f"2, 3, 5, 10 runs of 20, {between:g} apart", list(cells)))


if __name__ == "__main__":
    main()
