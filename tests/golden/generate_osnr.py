"""Write or check osnr.json: the OSNR of random amplified lines by GNPy. Optional.

pip install gnpy==3.0.1, in an environment of its own; then

    python generate_osnr.py osnr.json [--check]

Only the amplifiers' spontaneous emission counts: no transmitter, add/drop or ROADM noise. GNPy's
elements are called directly, without its auto-design, which would choose amplifiers of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gnpy.core.elements import Edfa, Fiber
from gnpy.core.info import create_arbitrary_spectral_information
from gnpy.core.parameters import EdfaParams
from gnpy.tools.json_io import Model_fg

SEED = 20
LINES = 20
FREQUENCY_HZ = 193.4e12
BAUD = 32e9
SLOT_HZ = 50e9
LAUNCH_W = 1e-3
"""0 dBm per channel."""
TOLERANCE_DB = 0.01
NEVER_SATURATED_DBM = 60.0


@dataclass(frozen=True)
class Section:
    """A fibre and the amplifier behind it, which makes up the whole loss.

    Attributes:
        splices: position (km) and loss (dB) of each.
    """

    length_km: float
    attenuation_db_per_km: float
    connector_in_db: float
    connector_out_db: float
    splices: tuple[tuple[float, float], ...]
    noise_figure_db: float

    @property
    def loss_db(self) -> float:
        """From one amplifier's output to the next one's input."""
        return (
            self.length_km * self.attenuation_db_per_km
            + self.connector_in_db
            + self.connector_out_db
            + sum(loss_db for _, loss_db in self.splices)
        )


def draw_section(draw: random.Random) -> Section:
    """Draw one section, in round figures, so that the file states its loss exactly."""
    length_km = round(draw.uniform(40, 100), 1)
    return Section(
        length_km=length_km,
        attenuation_db_per_km=round(draw.uniform(0.18, 0.25), 3),
        connector_in_db=round(draw.uniform(0.2, 1.0), 2),
        connector_out_db=round(draw.uniform(0.2, 1.0), 2),
        splices=tuple(
            (round(draw.uniform(0.05, 0.95) * length_km, 2), round(draw.uniform(0.02, 0.2), 2))
            for _ in range(draw.randint(0, 6))
        ),
        noise_figure_db=round(draw.uniform(5.5, 10), 2),
    )


def draw_lines() -> list[list[Section]]:
    """Draw all lines, of 1 to 6 sections."""
    draw = random.Random(SEED)
    return [[draw_section(draw) for _ in range(draw.randint(1, 6))] for _ in range(LINES)]


def fibre(section: Section) -> Any:
    """Return GNPy's fibre of a section."""
    element = Fiber(
        uid="fibre",
        type_variety="SSMF",
        params={
            "length": section.length_km,
            "length_units": "km",
            "loss_coef": section.attenuation_db_per_km,
            "con_in": section.connector_in_db,
            "con_out": section.connector_out_db,
            "lumped_losses": [{"position": km, "loss": db} for km, db in section.splices],
            "dispersion": 1.67e-05,
            "effective_area": 83e-12,
            "pmd_coef": 1.265e-15,
        },
    )
    assert abs(float(element.loss) - section.loss_db) < 1e-6
    return element


def amplifier(section: Section) -> Any:
    """Return GNPy's amplifier behind a section: flat, gain and noise figure set by hand.

    Below `gain_min` GNPy would pad the input and worsen the noise figure, hence 0.
    """
    return Edfa(
        uid="amplifier",
        params={
            **EdfaParams.default_values,
            "type_variety": "fixed",
            "type_def": "fixed_gain",
            "f_min": 191.3e12,
            "f_max": 196.1e12,
            "gain_flatmax": section.loss_db,
            "gain_min": 0.0,
            "p_max": NEVER_SATURATED_DBM,
            "nf_model": Model_fg(section.noise_figure_db),
            "nf_ripple": [0.0, 0.0],
            "dgt": [1.0, 1.0],
        },
        operational={
            "gain_target": section.loss_db,
            "tilt_target": 0.0,
            "out_voa": 0.0,
            "in_voa": 0.0,
        },
    )


def osnr_ase_01nm_db(line: Sequence[Section]) -> float:
    """Return GNPy's OSNR in 0.1 nm (12.5 GHz) behind the last amplifier."""
    light = create_arbitrary_spectral_information(
        frequency=[FREQUENCY_HZ],
        pch=LAUNCH_W,
        tx_power=LAUNCH_W,
        tx_osnr=None,
        baud_rate=BAUD,
        slot_width=SLOT_HZ,
        roll_off=0.15,
    )
    for section in line:
        # `propagate`, as calling a fibre wants a reference power, which only the auto-design sets.
        fibre(section).propagate(light)
        behind = amplifier(section)
        behind.propagate(light)
        assert abs(float(behind.nf[0]) - section.noise_figure_db) < 1e-9
        assert abs(behind.effective_gain - section.loss_db) < 1e-9
    return float(light.opt_snr_lin_db[0])  # what a Transceiver calls raw_osnr_ase_01nm


def generate() -> dict[str, Any]:
    """Return the content of the golden file."""
    return {
        "gnpy": version("gnpy"),
        "seed": SEED,
        "frequency_hz": FREQUENCY_HZ,
        "launch_dbm": 0.0,
        "lines": [
            {
                "section_losses_db": [round(section.loss_db, 6) for section in line],
                "noise_figures_db": [section.noise_figure_db for section in line],
                "osnr_ase_01nm_db": round(osnr_ase_01nm_db(line), 5),
            }
            for line in draw_lines()
        ],
    }


def numbers(value: Any, path: str = "") -> dict[str, float]:
    """Return every number in JSON content by its path."""
    if isinstance(value, dict):
        children = [(f"{path}.{key}", child) for key, child in value.items()]
    elif isinstance(value, list):
        children = [(f"{path}[{index}]", child) for index, child in enumerate(value)]
    else:
        return {path: value} if isinstance(value, int | float) else {}
    return {key: number for name, child in children for key, number in numbers(child, name).items()}


def differences(stored: Any, fresh: Any) -> list[str]:
    """Say where two golden files differ by more than the tolerance."""
    was, now = numbers(stored), numbers(fresh)
    return [f"{path}: only in one of them" for path in sorted(was.keys() ^ now.keys())] + [
        f"{path}: {was[path]} in the file, {now[path]} now"
        for path in was
        if path in now and abs(was[path] - now[path]) > TOLERANCE_DB
    ]


def main() -> int:
    """Write the file, or check it: 1 if it differs."""
    parser = argparse.ArgumentParser(description="The OSNR of random amplified lines by GNPy.")
    parser.add_argument("file", type=Path, help="the golden file")
    parser.add_argument("--check", action="store_true", help="compare with it, write nothing")
    arguments = parser.parse_args()
    fresh = generate()
    if not arguments.check:
        arguments.file.write_text(json.dumps(fresh, indent=1) + "\n", encoding="utf-8")
        return 0
    stored = json.loads(arguments.file.read_text(encoding="utf-8"))
    if stored["gnpy"] != fresh["gnpy"]:
        print(f"made by GNPy {stored['gnpy']}, checked by {fresh['gnpy']}")
    found = differences(stored, fresh)
    print("\n".join(found) or f"{len(fresh['lines'])} lines agree to {TOLERANCE_DB} dB")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
