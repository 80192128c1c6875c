"""Retransmission on the line, below TCP, after LinkGuardian.

Published (grade P): a loss of 1e-2 becomes 1e-8 at 60 % of the capacity, 1.2e-3 becomes 1.3e-9 at
91 %. Between and beyond them grade X: copies are sent until what is lost is 1e-8 or less, and the
capacity they take follows a power of the loss.
"""

from __future__ import annotations

import math

MOST_LOSS = 1e-2
"""It was never shown to mend more."""
LEFT_OVER = 1e-8
_TAKEN_AT_MOST, _TAKEN, _AT = 0.40, 0.09, 1.2e-3
_POWER = math.log(_TAKEN_AT_MOST / _TAKEN) / math.log(MOST_LOSS / _AT)


def loss_after(loss: float) -> float:
    """Return the share of frames still lost when each lost one is sent again by copies."""
    if loss <= LEFT_OVER:
        return loss
    # A hair's breadth: 1e-2 to the fourth power is 1e-8 but for the last bit.
    copies = math.ceil(math.log(LEFT_OVER) / math.log(loss) - 1e-9)
    return math.pow(loss, copies)


def capacity_after(loss: float) -> float:
    """Return the share of the capacity that is left."""
    return 1 - _TAKEN_AT_MOST * math.pow(min(loss, MOST_LOSS) / MOST_LOSS, _POWER)
