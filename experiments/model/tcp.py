"""What one TCP flow gets through: its share of the link, random loss, its window. Vectorised."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from topologies.tcp import RTO_MIN_NS

MATHIS = 1.22
"""sqrt(3/2): Mathis et al., 1997, with an acknowledgement that grows the window for each segment.
Within 5 % of one measured Reno flow at losses of 1e-4 and 1e-2 (grade: measured)."""
CUBIC, CUBIC_BETA = 0.4, 0.7
"""RFC 9438, sections 4.1 and 4.6."""
_CUBIC_WINDOW = (CUBIC * (3 + CUBIC_BETA) / (4 * (1 - CUBIC_BETA))) ** 0.25
"""Of its mean window, (rtt / p)^0.75 times this: the same, equation 4."""
BBR_KNEE = 0.17
"""BBR v1 keeps its rate up to a loss of 15 to 20 % (Cardwell et al., 2017, figure 8)."""
BBR_LEFT = 0.05
"""Share of the rate beyond that (grade: order of magnitude)."""
HEADERS, ETHERNET = 52, 14
"""IPv4, TCP and its time stamp option; Ethernet."""
RTO_MIN_S = RTO_MIN_NS / 1e9


def goodput_share(mtu: int) -> float:
    """Return the share of a link's wire rate that is data: 0.956 at an MTU of 1500."""
    return (mtu - HEADERS) / (mtu + ETHERNET)


def mean_window(control: str, loss: Any, rtt_s: Any) -> Any:
    """Return the window (segments) that random losses alone leave a loss-based TCP, on average.

    Reno: 1.22/sqrt(p). Cubic: RFC 9438's mean window for deterministic loss, where that is more.
    """
    p = np.maximum(loss, 1e-300)
    window = MATHIS / np.sqrt(p)
    if control == "cubic":
        window = np.maximum(window, _CUBIC_WINDOW * (rtt_s / p) ** 0.75)
    return window


def loss_for(control: str, window: Any, rtt_s: Any) -> Any:
    """Return the loss that leaves a loss-based TCP a mean window: `mean_window` turned around."""
    loss = (MATHIS / window) ** 2
    if control == "cubic":
        loss = np.maximum(loss, rtt_s * (_CUBIC_WINDOW / window) ** (4 / 3))
    return loss


def loss_limit_bps(control: str, loss: Any, rtt_s: Any, share_bps: Any, mtu: int) -> Any:
    """Return what random losses alone let one flow get through, bit/s of data (inf for none).

    A mean window per round trip; BBR does not go by losses, only what is lost is missing, up to a
    knee.
    """
    if control == "bbr":
        kept = np.where(loss < BBR_KNEE, 1 - loss, BBR_LEFT * (1 - loss))
        return np.where(loss > 0, share_bps * kept, np.inf)
    limit = 8.0 * (mtu - HEADERS) / rtt_s * mean_window(control, loss, rtt_s)
    return np.where(loss > 0, limit, np.inf)


def pftk_bps(loss: Any, rtt_s: Any, mtu: int, rto_min_s: float = RTO_MIN_S) -> Any:
    """Return the least that Reno gets: every third duplicate lost means a timeout.

    Padhye et al., 1998, equation 30, one segment to an acknowledgement. Linux recovers most such
    losses without a timeout (RFC 8985), so this only bounds the interval.
    """
    p = np.maximum(loss, 1e-300)
    timeout_s = np.maximum(rto_min_s, 2 * rtt_s)
    late = timeout_s * np.minimum(1, 3 * np.sqrt(3 * p / 8)) * p * (1 + 32 * p**2)
    limit = 8.0 * (mtu - HEADERS) / (rtt_s * np.sqrt(2 * p / 3) + late)
    return np.where(loss > 0, limit, np.inf)


def combined_bps(control: str, share_bps: Any, limit_bps: Any) -> Any:
    """Return a flow's rate between the link's and the losses' limits.

    A loss-based flow overflows the queue and meets random losses, whose rates add up; a window goes
    as 1/sqrt(p), so that the squares of the times per byte add. BBR takes the smaller.
    """
    if control == "bbr":
        return np.minimum(share_bps, limit_bps)
    return 1 / np.sqrt(share_bps**-2.0 + limit_bps**-2.0)


def straggling(flows: int) -> float:
    """Return how much longer the slowest of some flows takes than their mean, where losses rule.

    Reno's window lies anywhere between half and whole, with a standard deviation of 1/(3 sqrt(3))
    of its mean; the largest of n normal variables lies where Blom (1958) says.
    """
    if flows < 2:
        return 1.0
    furthest = NormalDist().inv_cdf((flows - 0.375) / (flows + 0.25))
    return 1 + furthest / (3 * math.sqrt(3))


def recoveries(loss: Any, segments: Any) -> Any:
    """Return the expected round trips until the losses among some segments are all mended.

    The largest of that many geometric variables: a train waits for its unluckiest segment.
    """
    total: Any = 0.0
    for attempt in range(1, 5):
        total = total - np.expm1(segments * np.log1p(-(np.minimum(loss, 0.5) ** attempt)))
    return total
