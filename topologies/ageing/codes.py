"""Forward error correction: from bit errors on the line to frames that are lost. Pure."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from topologies.files import FileModel
from topologies.units import Duration

FRAME_OVERHEAD_BYTES = 38
"""Ethernet header, checksum, preamble and gap around a packet."""


class Code(FileModel):
    """An error-correcting code; see codes.yaml. In code, delays are in ns."""

    summary: str = Field(description="a line on it, for people")
    threshold: float | None = Field(
        default=None,
        gt=0,
        lt=0.5,
        description="bit-error rate before correction that it just handles; without it, it "
        "corrects nothing",
    )
    reed_solomon: tuple[int, int, int] | None = Field(
        default=None,
        strict=False,
        description="symbols of a codeword, symbols of its data, bits of a symbol",
    )
    delay: Duration = Field(default=0, description="of encoder and decoder together")


NO_CODE = Code(summary="no error correction")


def codeword_loss(code: tuple[int, int, int], bit_error_rate: float) -> float:
    """Return the probability that a Reed-Solomon codeword is beyond correction (errors below 1).

    ``P[Binomial(n, 1 - (1-p)^m) > (n-k)/2]``, summed in logarithms.
    """
    n, k, bits = code
    symbol_error_rate = -math.expm1(bits * math.log1p(-bit_error_rate))
    if symbol_error_rate <= 0.0:
        return 0.0
    counts = np.arange((n - k) // 2 + 1, n + 1)
    log_factorials = np.array([math.lgamma(number + 1) for number in range(n + 1)])
    logs = (
        log_factorials[n]
        - log_factorials[counts]
        - log_factorials[n - counts]
        + counts * math.log(symbol_error_rate)
        + (n - counts) * math.log1p(-symbol_error_rate)
    )
    return float(min(1.0, np.exp(logs).sum()))


def uncorrected_frame_loss(bit_error_rate: float, packet_bytes: int) -> float:
    """Return the probability that any bit of a frame around ``packet_bytes`` is wrong."""
    bits = 8 * (packet_bytes + FRAME_OVERHEAD_BYTES)
    return -math.expm1(bits * math.log1p(-bit_error_rate))


def frame_loss(code: Code, bit_error_rate: float, packet_bytes: int) -> float:
    """Return the share of frames around ``packet_bytes`` that are lost after error correction.

    Reed-Solomon: a frame spans ``1 + 8 (bytes - 1) / (k m)`` codewords on average. A soft code is
    a step at its threshold: nothing is lost before it, everything after (grade X).
    """
    if code.reed_solomon:
        _, k, bits = code.reed_solomon
        codewords = 1 + 8 * (packet_bytes - 1) / (k * bits)
        lost = codeword_loss(code.reed_solomon, bit_error_rate)
        return -math.expm1(codewords * math.log1p(-lost)) if lost < 1 else 1.0
    if code.threshold is not None:
        return float(bit_error_rate > code.threshold)
    return uncorrected_frame_loss(bit_error_rate, packet_bytes)
