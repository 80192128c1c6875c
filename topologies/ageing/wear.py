"""What the years do to a fibre: cuts and their repairs, and the attenuation it was born with."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from topologies.ageing import corruption
from topologies.ageing.plant import Plant
from topologies.units import YEAR_NS

EXTRA_ATTENUATION = (0.02, 0.30)
"""Range of the extra attenuation of 22 live cables, without trend in age: never linear in years.
Grade A."""


@dataclass(frozen=True)
class Wear:
    """What happened to a fibre.

    Attributes:
        repairs: cuts that were spliced together again.
        extra_attenuation: relative to new fibre.
        corruption: share of frames that damage corrupts, where there is any.
    """

    repairs: float
    extra_attenuation: float
    corruption: float = 0.0


NEW = Wear(0, 0.0)


def draw_wear(plant: Plant, seed: int, span: str) -> Wear:
    """Draw a fibre's history: the same seed and span name give the same one, whatever its optics.

    Cuts are a Poisson process in kilometre-years, so that one more year only adds to them; extra
    attenuation ~ U(0.02, 0.30); corruption by `corruption.draw`.
    """
    random = np.random.default_rng([seed, crc32(span.encode())])
    extra = float(random.uniform(*EXTRA_ATTENUATION))
    damage = corruption.draw(random) if plant.damaged else 0.0
    if plant.new_fibre:
        return Wear(0, 0.0, damage)
    expected = plant.cuts / 1000 * plant.route_m / 1000 * plant.age_ns / YEAR_NS
    cuts = np.random.default_rng([seed, crc32(span.encode()), 1])
    repairs, reached = 0, 0.0
    while True:  # many at a time: the worst cable has millions
        at = reached + np.cumsum(cuts.exponential(size=1024))
        before = int(np.searchsorted(at, expected))
        repairs, reached = repairs + before, float(at[-1])
        if before < len(at):
            return Wear(repairs, extra, damage)
