"""Bit-error rates of light, from its margin or its signal-to-noise ratio. Pure."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal

Q_AT_SENSITIVITY = -NormalDist().inv_cdf(1e-12)
"""7.0345: the Q factor at which on/off keying has the bit-error rate of 1e-12 that a receiver's
sensitivity is stated for."""
REFERENCE_BAUD = 12.5e9
"""Symbols per second that fit the 0.1 nm in which OSNR is stated."""

Modulation = Literal["dp-qpsk", "dp-16qam"]


def of_margin(margin_db: float) -> float:
    """Return the bit-error rate of on/off keying, ``erfc(Q / sqrt 2) / 2``.

    ``Q = 7.03 * 10^(margin/10)``: its noise is the receiver's and does not fade with the light.
    """
    q = Q_AT_SENSITIVITY * 10 ** (margin_db / 10)
    return 0.5 * math.erfc(q / math.sqrt(2))


def margin_of(bit_error_rate: float) -> float:
    """Return the margin (dB) at which on/off keying has a bit-error rate below one half."""
    return 10 * math.log10(-NormalDist().inv_cdf(bit_error_rate) / Q_AT_SENSITIVITY)


def of_snr(modulation: Modulation, snr_db: float) -> float:
    """Return the bit-error rate of a coherent modulation at a signal-to-noise ratio per symbol."""
    snr = 10 ** (snr_db / 10)
    if modulation == "dp-qpsk":
        return 0.5 * math.erfc(math.sqrt(snr / 2))
    return 3 / 8 * math.erfc(math.sqrt(snr / 10))


def snr_db(osnr_db: float, baud: float) -> float:
    """Return the signal-to-noise ratio per symbol (dB) of an OSNR in 0.1 nm (dB)."""
    return osnr_db - 10 * math.log10(baud / REFERENCE_BAUD)


def snr_needed_db(modulation: Modulation, bit_error_rate: float) -> float:
    """Return the signal-to-noise ratio (dB) at which a modulation has a bit-error rate."""
    low, high = -20.0, 40.0
    for _ in range(60):  # to the last bit of a double
        middle = (low + high) / 2
        low, high = (middle, high) if of_snr(modulation, middle) > bit_error_rate else (low, middle)
    return high
