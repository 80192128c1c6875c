"""Damaged fibre: the steady corruption that a bend, a crack or a loose connector brings.

CorrOpt's Table 1 as published with LinkGuardian (grade P): data-centre links, so that on a span
it is an assumption. Independent of load; repaired in two days (80 %) or four.
"""

from __future__ import annotations

import numpy as np

LOSS_BUCKETS = ((1e-8, 1e-5), (1e-5, 1e-4), (1e-4, 1e-3), (1e-3, 1e-2))
SHARES = (0.4723, 0.1843, 0.2167, 0.1267)
"""Of the corrupting links, by loss rate."""


def draw(random: np.random.Generator) -> float:
    """Return a corrupting link's share of lost frames: log-uniform in its bucket (grade X)."""
    low, high = LOSS_BUCKETS[random.choice(len(SHARES), p=SHARES)]
    return float(np.exp(random.uniform(np.log(low), np.log(high))))
