"""Searching upgrade sets: branch and bound against trying everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.planner import search
from experiments.planner.options import Option
from topologies.linkstate import Duplex, LinkState

STATE = Duplex.both(LinkState(10**9, 10**6))


@dataclass
class Additive:
    """Coherence as a product of what each option is worth."""

    values: Sequence[Sequence[float]]
    asked: int = 0

    def coherences(self, sets: search.Indices) -> NDArray[np.float64]:
        self.asked += len(sets)
        columns = [np.array(values)[sets[:, at]] for at, values in enumerate(self.values)]
        worth: NDArray[np.float64] = np.prod(columns, axis=0)
        return worth

    def best_possible(self, chosen: Sequence[int]) -> float:
        so_far = [values[index] for values, index in zip(self.values, chosen, strict=False)]
        return float(np.prod(so_far) * np.prod([max(it) for it in self.values[len(chosen) :]]))


def problem(seed: int, spans: int = 4, most: int = 6) -> tuple[list[list[Option]], Additive]:
    random = np.random.default_rng(seed)
    options, values = [], []
    for _ in range(spans):
        count = int(random.integers(2, most))
        prices = [0.0, *random.integers(1, 100, count - 1)]
        unknown = [False, *(random.random(count - 1) < 0.3)]
        options.append(
            [
                Option(
                    (f"upgrade-{index}",) if index else (),
                    STATE,
                    known_usd=float(price),
                    unpriced=frozenset([f"upgrade-{index}"] if unknown[index] else []),
                )
                for index, price in enumerate(prices)
            ]
        )
        values.append([0.5, *random.uniform(0.5, 1.0, count - 1)])
    return options, Additive(values)


@pytest.mark.parametrize("seed", range(20))
def test_branch_and_bound_finds_what_trying_everything_finds(seed: int) -> None:
    options, worth = problem(seed)
    sets = search.every_set(options)
    assert sets is not None
    values = worth.coherences(sets)
    prices = [
        search.price_of([choices[i] for choices, i in zip(options, it, strict=True)]) for it in sets
    ]
    target = float(np.quantile(values, 0.8))
    cheapest = min(price for price, value in zip(prices, values, strict=True) if value >= target)
    worth.asked = 0
    found = search.cheapest(options, worth, target)
    assert found is not None
    assert found.coherence >= target
    picked = [choices[i] for choices, i in zip(options, found.indices, strict=True)]
    assert search.price_of(picked) == cheapest
    assert worth.asked < len(sets), "the bound saved nothing"


def test_a_target_that_nothing_reaches() -> None:
    options, worth = problem(1)
    assert search.cheapest(options, worth, 1.01) is None
    assert search.cheapest(options, worth, 0.0) is not None


def test_a_budget_excludes_unknown_prices() -> None:
    options, worth = problem(3)
    found = search.cheapest(options, worth, 0.1, lambda price: price[0] == 0 and price[1] <= 60)
    assert found is not None
    picked = [choices[i] for choices, i in zip(options, found.indices, strict=True)]
    assert not any(option.unpriced for option in picked)
    assert sum(option.known_usd for option in picked) <= 60


def test_a_front_rises_in_price_and_coherence() -> None:
    options, worth = problem(5)
    front = search.front(options, worth, 0.0)
    prices = [
        search.price_of([c[i] for c, i in zip(options, it.indices, strict=True)]) for it in front
    ]
    assert prices == sorted(prices)
    coherences = [it.coherence for it in front]
    assert coherences == sorted(coherences)
    sets = search.every_set(options)
    assert sets is not None
    everything = worth.coherences(sets)
    assert coherences[-1] >= everything.max() - search.SLIGHTEST


def test_pareto_keeps_no_set_that_another_beats() -> None:
    prices = [(0, 0.0, 0), (0, 5.0, 1), (0, 5.0, 1), (0, 9.0, 2), (0, 20.0, 1)]
    kept = search.pareto(prices, np.array([0.2, 0.5, 0.6, 0.55, 0.9]))
    assert kept == [0, 2, 4]


def test_too_many_sets_are_not_tried_one_by_one() -> None:
    assert search.every_set([[Option((), STATE)] * 100] * 4) is None
