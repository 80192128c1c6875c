"""From utilisation at some rates to the rate that a utilisation needs. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class Seen(NamedTuple):
    """The share of time that accelerators compute at a rate of the span."""

    rate_bps: float
    utilisation: float


def needed_bps(seen: Sequence[Seen], utilisation: float) -> float | None:
    """Return the least rate at which a utilisation is reached; None where it lies outside.

    Straight in the logarithms of the rate and of 1/u - 1, the time waited over the time computed:
    it is the bytes over the rate where nothing hides them, for which this is exact.
    """
    ordered = sorted(seen)
    for below, above in pairwise(ordered):
        if below.utilisation < utilisation <= above.utilisation:
            ends = [math.log(waited(it.utilisation)) for it in (below, above)]
            share = (math.log(waited(utilisation)) - ends[0]) / (ends[1] - ends[0])
            return below.rate_bps * math.pow(above.rate_bps / below.rate_bps, share)
    return None


def waited(utilisation: float) -> float:
    """Return the time waited over the time computed, at least a ten-thousandth."""
    return max(1e-4, 1 / utilisation - 1)
