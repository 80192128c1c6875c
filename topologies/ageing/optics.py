"""Light: attenuation, margin, bit errors and frame loss of a plant. Pure functions, numpy only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from topologies.ageing.conditions import OPTICS
from topologies.ageing.plant import METRO_CUTS, Plant
from topologies.errors import PhysicsError
from topologies.units import YEAR_NS

ATTENUATION_DB_PER_KM = 0.20
"""Glass fibre at 1550 nm. Grade P."""
CONNECTOR_DB = 0.5
"""One connector. Grade P."""
CONNECTORS = 4
"""Two at each end: the transceiver's and the patch panel's. Grade X."""
SPLICE_DB = 0.1
"""One splice; a repair needs two. Grade X."""
EXTRA_ATTENUATION = (0.02, 0.30)
"""Range of the extra attenuation of 22 live cables, without trend in age. Grade A."""
AMPLIFIER_SPACING_KM = 80
"""Grade X."""
NOISE_FIGURE_DB = 5.5
"""Of an amplifier, 5.5 to 10. Grade P."""
NONLINEAR_DB = 1.2
"""Nonlinear share of the noise at 0 dBm per channel and full load. Grade C."""
DESIGN_MARGIN_DB = 2.0
"""Grade P (GNPy equipment library)."""
G709_THRESHOLD = 1e-4
"""Pre-FEC bit-error rate that RS(255,239) just corrects. Grade C."""
FRAME_OVERHEAD_BYTES = 38
"""Ethernet header, checksum, preamble and gap around a packet."""


@dataclass(frozen=True)
class Wear:
    """What the years did to a fibre: splices of repairs, relative extra attenuation."""

    repairs: float
    extra_attenuation: float


def draw_wear(plant: Plant, seed: int, span: str) -> Wear:
    """Draw repairs ~ Poisson(cuts x km x years) and extra attenuation ~ U(0.02, 0.30).

    The same seed and span name give the same wear, whatever its optics.
    """
    if plant.new_fibre:
        return Wear(0, 0.0)
    random = np.random.default_rng([seed, crc32(span.encode())])
    extra = float(random.uniform(*EXTRA_ATTENUATION))
    cuts = METRO_CUTS / 1000 * plant.route_m / 1000 * plant.age_ns / YEAR_NS
    return Wear(int(random.poisson(cuts)), extra)


def attenuation_db(plant: Plant, wear: Wear) -> float:
    """Return the loss of light over the whole line: fibre, connectors, splices, dirt (dB)."""
    fibre = ATTENUATION_DB_PER_KM * plant.route_m / 1000 * (1 + wear.extra_attenuation)
    return fibre + CONNECTORS * CONNECTOR_DB + 2 * SPLICE_DB * wear.repairs + plant.dirt_db


def margin_db(plant: Plant, wear: Wear) -> float:
    """Return the optical margin: of power for on/off keying, of GSNR for coherent optics (dB)."""
    optics = OPTICS[plant.optics]
    light_lost = attenuation_db(plant, wear)
    if optics.kind == "ook":
        return optics.budget_db - optics.penalty_db - light_lost / (plant.oeo_sites + 1)
    sections = max(1, math.ceil(plant.route_m / 1000 / AMPLIFIER_SPACING_KM))
    osnr = 57.95 - light_lost / sections - NOISE_FIGURE_DB - 10 * math.log10(sections)
    return osnr - NONLINEAR_DB - optics.osnr_required_db - DESIGN_MARGIN_DB


def ook_bit_error_rate(margin: float) -> float:
    """Return the bit-error rate of on/off keying, ``Q = 7.03 * 10^(margin/10)``."""
    return 0.5 * math.erfc(7.03 * 10 ** (margin / 10) / math.sqrt(2))


def uncorrected_frame_loss(bit_error_rate: float, frame_bytes: int) -> float:
    """Return the probability that any bit of a frame with ``frame_bytes`` of payload is wrong."""
    bits = 8 * (frame_bytes + FRAME_OVERHEAD_BYTES)
    return -math.expm1(bits * math.log1p(-bit_error_rate))


def frame_loss(plant: Plant, wear: Wear, frame_bytes: int) -> float:
    """Return the share of frames a plant loses; error correction makes it a cliff.

    Raises PhysicsError when the margin is gone, since the link is then down and not lossy.
    """
    margin = margin_db(plant, wear)
    if OPTICS[plant.optics].kind == "coherent":
        if margin < 0:
            raise PhysicsError(
                f"{plant.optics} does not work over {plant.route_m / 1000:g} km: "
                f"its OSNR falls {-margin:.1f} dB short of the required one"
            )
        return 0.0
    bit_error_rate = ook_bit_error_rate(margin)
    segments = plant.oeo_sites + 1
    if plant.hard_fec:
        if bit_error_rate > G709_THRESHOLD:
            raise PhysicsError(
                f"{plant.optics} over {plant.route_m / 1000:g} km is beyond its error correction: "
                f"bit-error rate {bit_error_rate:.1e}, threshold {G709_THRESHOLD:.0e}"
            )
        return 0.0
    return 1 - (1 - uncorrected_frame_loss(bit_error_rate, frame_bytes)) ** segments
