"""The one-way delay budget of a plant."""

from __future__ import annotations

from topologies.ageing.conditions import OPTICS
from topologies.ageing.plant import Plant

GLASS_NS_PER_KM = 4_897
"""n = 1.468. Grade P (GNPy)."""
HOLLOW_CORE_NS_PER_KM = 3_400
"""3.3 to 3.5 us/km. Grade S."""
DCF_NS_PER_KM = 625
"""Dispersion-compensating fibre, per kilometre of line. Grade P."""
OEO_NS = 100_000
"""One electrical regenerator. Grade P (vendor forum)."""
HARD_FEC_NS = 60_000
"""G.709, within the generic 15 to 150 us. Grade X."""


def one_way_ns(plant: Plant) -> int:
    """Return the one-way delay in ns: glass, compensation, regeneration, error correction."""
    per_km = HOLLOW_CORE_NS_PER_KM if plant.hollow_core else GLASS_NS_PER_KM
    if plant.dcf:
        per_km += DCF_NS_PER_KM
    fec_ns = HARD_FEC_NS if plant.hard_fec else OPTICS[plant.optics].fec_delay
    return plant.route_m * per_km // 1000 + plant.oeo_sites * OEO_NS + fec_ns
