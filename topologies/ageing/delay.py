"""The one-way delay budget of a plant."""

from __future__ import annotations

from topologies.ageing.plant import Plant

GLASS_NS_PER_KM = 4_897
"""n = 1.468. Grade P (GNPy)."""
HOLLOW_CORE_NS_PER_KM = 3_400
"""3.3 to 3.5 us/km. Grade S."""
RADIO_NS_PER_KM = 3_340
"""Air, n = 1.0003. Grade P."""
DCF_NS_PER_KM = 625
"""Dispersion-compensating fibre, per kilometre of line. Grade P."""
OEO_NS = 100_000
"""One electrical regenerator. Grade P (vendor forum)."""
AMPLIFIER_NS = 125
"""One amplifier, 0.1 to 0.15 us. Grade P."""
RADIO_HOP_NS = 55_000
"""One radio hop with its modem. Grade X."""


def delay_parts(plant: Plant, amplifiers: int) -> dict[str, int]:
    """Return the one-way delay in ns by cause; their sum is the span's."""
    if plant.optics and plant.optics.kind == "radio":
        return {
            "air": plant.route_m * RADIO_NS_PER_KM // 1000,
            "hops": plant.optics.hops * RADIO_HOP_NS,
        }
    per_km = HOLLOW_CORE_NS_PER_KM if plant.hollow_core else GLASS_NS_PER_KM
    parts = {
        "fibre": plant.route_m * per_km // 1000,
        "dispersion compensation": plant.route_m * DCF_NS_PER_KM // 1000 if plant.dcf else 0,
        "regenerators": plant.oeo_sites * OEO_NS,
        "amplifiers": amplifiers * AMPLIFIER_NS,
        "error correction": plant.code.delay,
    }
    return {cause: ns for cause, ns in parts.items() if ns}
