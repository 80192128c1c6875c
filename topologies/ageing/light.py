"""Light: attenuation, OSNR and margin of a plant. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from topologies.ageing.plant import Plant
from topologies.ageing.wear import Wear

ATTENUATION_DB_PER_KM = 0.20
"""Glass fibre at 1550 nm. Grade P."""
CONNECTOR_DB = 0.5
"""One connector. Grade P."""
CONNECTORS = 4
"""Two at each end: the transceiver's and the patch panel's. Grade X."""
SPLICE_DB = 0.1
"""One splice; a repair needs two. Grade X."""
AMPLIFIER_SPACING_KM = 80
"""Grade X."""
OSNR_CONSTANT_DB = 57.95
"""OSNR in 0.1 nm of one amplified section with no loss and no noise figure, at 0 dBm: ``-10 log10
(h f B)`` in mW. Grade C."""
NONLINEAR_DB = 1.2
"""Nonlinear share of the noise at 0 dBm per channel and full load. Grade C: what GNPy prints for
2 x 80 km. It is 2.1 dB at 32 GBd with low-noise amplifiers and 0.4 dB at 60 GBd, and shrinks as age
adds other noise; one number for all is grade X."""
DESIGN_MARGIN_DB = 2.0
"""Kept when a line is planned; age may eat it. Grade P (GNPy equipment library)."""


def attenuation_parts(plant: Plant, wear: Wear) -> dict[str, float]:
    """Return the loss of light over the whole line by cause (dB); their sum is the line's."""
    fibre = ATTENUATION_DB_PER_KM * plant.route_m / 1000
    return {
        "fibre": fibre,
        "extra attenuation": fibre * wear.extra_attenuation,
        "connectors": CONNECTORS * CONNECTOR_DB,
        "repairs": 2 * SPLICE_DB * wear.repairs,
        "dirt": plant.dirt_db,
    }


def attenuation_db(plant: Plant, wear: Wear) -> float:
    """Return the loss of light over the whole line (dB)."""
    return sum(attenuation_parts(plant, wear).values())


def sections(plant: Plant) -> int:
    """Return how many amplified sections coherent light needs."""
    return max(1, math.ceil(plant.route_m / 1000 / AMPLIFIER_SPACING_KM))


def osnr_db(section_losses_db: Sequence[float], noise_figures_db: Sequence[float]) -> float:
    """Return the OSNR (dB in 0.1 nm) at the end of amplified sections at 0 dBm per channel.

    Each section's loss is made up by an amplifier of the given noise figure; noise adds up.
    """
    noise = [
        10 ** -((OSNR_CONSTANT_DB - loss_db - figure_db) / 10)
        for loss_db, figure_db in zip(section_losses_db, noise_figures_db, strict=True)
    ]
    return -10 * math.log10(sum(noise))


def gsnr_db(plant: Plant, wear: Wear) -> float:
    """Return the signal-to-noise ratio in 0.1 nm with the fibre's own nonlinear noise (dB)."""
    count = sections(plant)
    loss_db = attenuation_db(plant, wear) / count
    return osnr_db([loss_db] * count, [plant.noise_figure_db] * count) - NONLINEAR_DB


def power_margin_db(plant: Plant, wear: Wear) -> float:
    """Return the power margin of on/off keying, of each regenerated segment (dB)."""
    assert plant.optics is not None, "a span stated outright has no light"
    segment_db = attenuation_db(plant, wear) / (plant.oeo_sites + 1)
    return plant.optics.budget_db - plant.optics.penalty_db - segment_db
