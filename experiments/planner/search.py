"""Finding upgrade sets: all of them where they are few, otherwise by branch and bound. Pure.

Both give the same answer. The bound is proven: a span whose upgrade is still open is taken to be as
good in every respect as its best option in that respect, and a step never gets slower by that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from experiments.planner.options import Option

MOST_SETS = 200_000
"""So many upgrade sets are evaluated one and all."""
SLIGHTEST = 5e-3
"""Gain in coherence that makes another point of a front."""

Indices = NDArray[np.int64]


class Evaluator(Protocol):
    """What upgrade sets are worth."""

    def coherences(self, sets: Indices) -> NDArray[np.float64]:
        """Return the coherence of sets, ``(m,)``, from an index per span, ``(m, spans)``."""

    def best_possible(self, chosen: Sequence[int]) -> float:
        """Return what no completion of the first spans' choices can exceed."""


@dataclass(frozen=True)
class Found:
    """An upgrade set: the index of each span's option, and its predicted coherence."""

    indices: tuple[int, ...]
    coherence: float


Price = tuple[int, float, int]
"""Unknown prices, known US dollars, number of upgrades: in this order of importance."""


def price_of(options: Sequence[Option]) -> Price:
    """Return what a set costs, comparable: what is unknown counts before what is known."""
    return (
        sum(len(option.unpriced) for option in options),
        sum(option.known_usd for option in options),
        sum(len(option.upgrades) for option in options),
    )


def every_set(options: Sequence[Sequence[Option]]) -> Indices | None:
    """Return all upgrade sets as indices, ``(m, spans)``, or None where they are too many."""
    sizes = [len(choices) for choices in options]
    if np.prod(sizes, dtype=float) > MOST_SETS:
        return None
    sets: Indices = np.indices(sizes).reshape(len(sizes), -1).T.astype(np.int64)
    return sets


def cheapest(
    options: Sequence[Sequence[Option]],
    evaluator: Evaluator,
    target: float,
    affordable: Callable[[Price], bool] = lambda price: True,
) -> Found | None:
    """Return the cheapest upgrade set that reaches a coherence, by branch and bound."""
    orders = [
        [index for _, index in sorted((price_of([it]), index) for index, it in enumerate(choices))]
        for choices in options
    ]
    best: Found | None = None
    best_price: Price | None = None

    def descend(chosen: tuple[int, ...], picked: tuple[Option, ...]) -> None:
        nonlocal best, best_price
        price = price_of(picked)
        if (best_price is not None and price >= best_price) or not affordable(price):
            return  # what is still to be chosen adds to the price
        if len(chosen) == len(options):
            value = float(evaluator.coherences(np.array([chosen]))[0])
            if value >= target:
                best, best_price = Found(chosen, value), price
            return
        if evaluator.best_possible(chosen) < target:
            return
        for index in orders[len(chosen)]:
            descend((*chosen, index), (*picked, options[len(chosen)][index]))

    descend((), ())
    return best


def front(
    options: Sequence[Sequence[Option]], evaluator: Evaluator, least: float, most: int = 12
) -> list[Found]:
    """Return sets of which none is both cheaper and better than another, by rising price.

    Each is the cheapest that is better than the one before by `SLIGHTEST`; at most ``most``.
    """
    found: list[Found] = []
    while len(found) < most:
        better = cheapest(options, evaluator, found[-1].coherence + SLIGHTEST if found else least)
        if better is None:
            break
        found.append(better)
    return found


def pareto(prices: Sequence[Price], coherences: NDArray[np.float64]) -> list[int]:
    """Return which sets no cheaper one equals or beats, by rising price."""
    order = sorted(range(len(prices)), key=lambda index: (prices[index], -coherences[index]))
    kept: list[int] = []
    for index in order:
        if not kept or coherences[index] >= coherences[kept[-1]] + SLIGHTEST:
            kept.append(index)
    return kept
