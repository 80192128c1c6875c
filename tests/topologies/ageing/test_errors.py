"""Bit errors and error correction against published figures, copied and never computed here."""

from __future__ import annotations

import math

import pytest

from topologies.ageing import biterrors
from topologies.ageing.codes import codeword_loss, frame_loss, uncorrected_frame_loss
from topologies.catalogue import bundled

CODES = bundled().codes


def figures(value: float, count: int) -> float:
    """Return a value rounded to as many significant figures as the published one has."""
    return float(f"{value:.{count - 1}e}")


@pytest.mark.parametrize(
    ("margin", "packet_bytes", "loss", "count"),
    [
        (0.0, 1500, 1e-8, 1),
        (-0.5, 1500, 2e-6, 1),
        (-1.0, 1500, 1.4e-4, 2),
        (-1.5, 1500, 3.9e-3, 2),
        (-2.0, 1500, 5e-2, 1),
        (0.0, 9000, 7e-8, 1),
        (-0.5, 9000, 1e-5, 1),
        (-1.0, 9000, 8e-4, 1),
        (-1.5, 9000, 2.3e-2, 2),
        (-2.0, 9000, 0.28, 2),
    ],
)
def test_frame_loss_of_10g_without_error_correction(
    margin: float, packet_bytes: int, loss: float, count: int
) -> None:
    computed = uncorrected_frame_loss(biterrors.of_margin(margin), packet_bytes)
    assert figures(computed, count) == loss


@pytest.mark.parametrize(
    ("bit_error_rate", "loss"), [(2.4e-4, 3e-12), (6e-4, 1e-6), (1e-3, 5e-4), (2e-3, 0.24)]
)
def test_frame_loss_under_kp4(bit_error_rate: float, loss: float) -> None:
    computed = frame_loss(CODES["kp4"], bit_error_rate, 1500)
    assert figures(computed, 2 if loss == 0.24 else 1) == loss


def test_codeword_loss_against_exact_arithmetic() -> None:
    n, k, bits, wrong = 15, 11, 4, 0.01
    symbol = 1 - (1 - wrong) ** bits
    exact = sum(
        math.comb(n, count) * symbol**count * (1 - symbol) ** (n - count)
        for count in range((n - k) // 2 + 1, n + 1)
    )
    assert codeword_loss((n, k, bits), wrong) == pytest.approx(exact, rel=1e-12)
    assert codeword_loss((n, k, bits), 0.0) == 0.0
    assert codeword_loss((n, k, bits), 0.5) == pytest.approx(1.0)


def test_the_threshold_of_g709_is_where_it_still_leaves_next_to_nothing() -> None:
    at = frame_loss(CODES["g709"], 1e-4, 1500)
    assert at < 1e-10, "the output of the code at its threshold is called error-free"
    assert frame_loss(CODES["g709"], 3e-3, 1500) > 0.1


def test_a_soft_code_is_a_step() -> None:
    assert frame_loss(CODES["cfec"], 1.22e-2, 9000) == 0
    assert frame_loss(CODES["cfec"], 1.23e-2, 9000) == 1


def test_zero_margin_is_a_bit_error_rate_of_1e_minus_12() -> None:
    assert biterrors.of_margin(0.0) == pytest.approx(1e-12, rel=1e-6)
    assert biterrors.margin_of(1e-12) == pytest.approx(0, abs=1e-9)
    assert biterrors.margin_of(biterrors.of_margin(-1.3)) == pytest.approx(-1.3)
    assert uncorrected_frame_loss(1e-20, 1500) == pytest.approx(1538 * 8e-20, rel=1e-6)
    assert uncorrected_frame_loss(0.0, 1500) == 0.0


def test_coherent_modulations() -> None:
    assert biterrors.of_snr("dp-qpsk", 10.0) == pytest.approx(0.5 * math.erfc(math.sqrt(5)))
    assert biterrors.of_snr("dp-16qam", 20.0) == pytest.approx(3 / 8 * math.erfc(math.sqrt(10)))
    for rate in (1e-2, 1e-4):
        needed = biterrors.snr_needed_db("dp-16qam", rate)
        assert biterrors.of_snr("dp-16qam", needed) == pytest.approx(rate, rel=1e-9)
    assert biterrors.snr_db(20, 12.5e9) == 20
    assert biterrors.snr_db(20, 125e9) == 10
