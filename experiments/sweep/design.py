"""Which combinations of values a sweep visits: all, row by row, or drawn. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

from experiments.sweep.quantity import Quantity
from experiments.sweep.spec import MAX_RUNS, AxisSpec, SweepSpec


def combinations(spec: SweepSpec) -> list[tuple[Any, ...]]:
    """Return the values of every point, in the order of ``spec.vary``.

    Raises ValueError, located, for lists of unequal lengths and for more runs than are allowed.
    """
    axes = spec.vary
    lengths = {path: len(axis.values or ()) or axis.count or 0 for path, axis in axes.items()}
    if spec.design == "zip" and len(set(lengths.values())) > 1:
        said = ", ".join(f"{path} has {length}" for path, length in lengths.items())
        raise ValueError(f"vary: a zip needs as many values of each: {said}")
    if spec.design == "grid":
        count = math.prod(lengths.values())
    else:
        count = spec.points or next(iter(lengths.values()))
    if count * spec.repetitions > MAX_RUNS:
        times = f" in {spec.repetitions} repetitions" if spec.repetitions > 1 else ""
        raise ValueError(f"has {count} points{times}; allowed: {MAX_RUNS} runs of one sweep")
    if spec.design == "grid":
        return list(product(*map(spaced, axes.values())))
    if spec.design == "zip":
        return list(zip(*map(spaced, axes.values()), strict=True))
    return [
        tuple(at(axis, share) for axis, share in zip(axes.values(), shares, strict=True))
        for shares in _drawn(spec, count)
    ]


def spaced(axis: AxisSpec) -> list[Any]:
    """Return an axis's list, or evenly spaced values of its range, both ends included."""
    if axis.values is not None:
        return list(axis.values)
    assert axis.count is not None, "checked when read"
    return [at(axis, index / (axis.count - 1)) for index in range(axis.count)]


def at(axis: AxisSpec, share: float) -> Any:
    """Return the value at a share (0 to 1) of an axis; an entry of a list for its equal part."""
    if axis.values is not None:
        return axis.values[min(int(share * len(axis.values)), len(axis.values) - 1)]
    low, high = axis.ends
    if share in (0, 1):
        return (high if share else low).stated
    if axis.scale == "log":
        value = low.value * (high.value / low.value) ** share
    else:
        value = low.value + share * (high.value - low.value)
    return Quantity(value, low.dimension, whole=low.whole and high.whole).rounded.stated


def _drawn(spec: SweepSpec, count: int) -> Iterator[list[float]]:
    """Yield, for each point, where in each axis it lies.

    Sobol points are scrambled (Owen 1998) by the sweep's seed: the first so many of a sequence.
    """
    if spec.design == "sobol":
        from scipy.stats import qmc

        sequence = qmc.Sobol(len(spec.vary), scramble=True, rng=spec.seed)
        whole = sequence.random_base2(max(0, (count - 1).bit_length()))
        yield from whole[:count].tolist()
    else:
        import numpy

        yield from numpy.random.default_rng(spec.seed).random((count, len(spec.vary))).tolist()
