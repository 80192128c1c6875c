"""How an accelerator's time differs from step to step and from rank to rank. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DISTRIBUTIONS = ("fixed", "normal", "lognormal", "gamma")
_STREAM = 4
"""Keeps these draws apart from others of the same seed."""


@dataclass(frozen=True)
class Variation:
    """Factors on the declared compute time, of mean 1 but for stragglers; all are independent.

    Attributes:
        distribution: one of ``DISTRIBUTIONS``.
        cv: standard deviation over mean; 0 where it is fixed.
        straggling: how likely a rank straggles in a step.
        slowdown: how many times as long it then takes.
    """

    distribution: str = "fixed"
    cv: float = 0.0
    straggling: float = 0.0
    slowdown: float = 1.0

    def factor(self, seed: int, rank: int, step: int) -> float:
        """Return the factor of a rank in a step: the same for the same three."""
        return float(self.factors(np.random.default_rng([seed, _STREAM, rank, step]), (1,))[0])

    def factors(self, random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Draw factors; each takes the same draws whether stragglers are switched on or not."""
        straggles = random.random(shape) < self.straggling
        return self._spread(random, shape) * np.where(straggles, self.slowdown, 1.0)

    def _spread(self, random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        if self.distribution == "fixed" or self.cv == 0:
            return np.ones(shape)
        if self.distribution == "normal":
            return np.maximum(0.0, 1 + self.cv * random.standard_normal(shape))
        if self.distribution == "lognormal":
            variance = math.log(1 + self.cv**2)  # of the logarithm, so that the mean is 1
            return np.exp(math.sqrt(variance) * random.standard_normal(shape) - variance / 2)
        if self.distribution == "gamma":
            return random.standard_gamma(1 / self.cv**2, shape) * self.cv**2
        raise ValueError(f"no distribution {self.distribution}: {', '.join(DISTRIBUTIONS)}")
