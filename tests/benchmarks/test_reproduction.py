"""The published results, their scenarios, and what is made of the figures; nothing is emulated."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from benchmarks import published
from benchmarks.reproduction import bandwidth, distance, losses, stalls
from benchmarks.reproduction.__main__ import ITEMS, with_figures
from benchmarks.reproduction.chart import Chart, Line
from benchmarks.reproduction.found import SWEEPS
from benchmarks.reproduction.required import Seen, needed_bps
from experiments.scenario import load_scenario
from experiments.sweep.points import check_all, expand
from experiments.sweep.spec import load_sweep

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "published.md"
FILES = sorted((ROOT / SWEEPS).glob("*.yaml"))
RUN = {*bandwidth.METHODS, *distance.SWEEPS, losses.SWEEP, stalls.SWEEP}


def swept(path: Path) -> bool:
    return "vary" in yaml.safe_load(path.read_text())


def test_every_sweep_that_the_page_needs_has_a_file_of_its_name() -> None:
    assert {path.stem for path in FILES if swept(path)} == RUN


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_point_is_valid(path: Path) -> None:
    if not swept(path):
        load_scenario(path)
        return
    spec, scenario = load_sweep(path)
    assert spec.name == path.stem
    check_all(expand(spec, scenario, str(path)), str(path), lambda looked_at: None)


def test_the_page_names_every_sweep_and_shows_every_picture() -> None:
    page = PAGE.read_text()
    assert [name for name in sorted(RUN) if f"published/{name}.yaml" not in page] == []
    for picture in re.findall(r"\]\((published/\w+\.svg)\)", page):
        ElementTree.parse(PAGE.parent / picture)
    for name in ITEMS:
        changed = with_figures(page, name, "none")
        assert changed != page
        assert changed.count("<!-- end -->") == len(ITEMS), "no other place is touched"
        assert with_figures(changed, name, "none") == changed


def test_a_page_without_a_place_is_said() -> None:
    with pytest.raises(ValueError, match="no place for losses"):
        with_figures("nothing", "losses", "1")


def test_published_efficiencies_are_shares() -> None:
    rows = published.texts("efficiency")
    assert len(rows) == 7
    for row in rows:
        assert 0.5 < float(row["least"]) <= float(row["most"] or 1) <= 1, row["system"]


BITS = 16e9
"""2 bytes for each of a billion parameters: what two campuses send each other, each way."""
STEP_S, EVERY, FRAGMENTS, DELAY = 0.1, 100, 3, 5
BACKWARD_S = 2 / 3 * STEP_S
"""In which the table seems to hide the whole exchange of DiLoCo, which only its 99 % tells."""


def waited_s(method: str, rate_bps: float) -> float:
    """Return what a period of 100 steps waits, by what the methods say."""
    if method.startswith("streaming"):
        bits = BITS / FRAGMENTS * (0.25 if method.endswith("FP4") else 1)
        return FRAGMENTS * max(0.0, bits / rate_bps - DELAY * STEP_S)
    return max(0.0, BITS / rate_bps - BACKWARD_S)


@pytest.mark.parametrize("method", ["DiLoCo H=100", "streaming+overlap", "streaming+overlap+FP4"])
def test_table_4_is_the_arithmetic_of_its_methods(method: str) -> None:
    # So the scenarios have the right bytes. The table's grid has steps of 1.21.
    rates = [10 ** (8 + number / 100) for number in range(400)]
    period_s = EVERY * STEP_S
    seen = [Seen(rate, period_s / (period_s + waited_s(method, rate))) for rate in rates]
    for share, wanted in bandwidth.table_4(method).items():
        needed = needed_bps(seen, share / 100)
        assert needed is not None
        off = abs(math.log(needed / 1e9 / wanted))
        assert off < 1.5 * math.log(bandwidth.GRID), (share, needed)


def test_what_nothing_hides_is_interpolated_exactly() -> None:
    seen = [Seen(rate, 1 / (1 + 1e9 / rate)) for rate in (1e8, 4e9, 1e11)]
    for utilisation in (0.2, 0.5, 0.8, 0.95):
        needed = needed_bps(seen, utilisation)
        assert needed == pytest.approx(1e9 * utilisation / (1 - utilisation))
    assert needed_bps(seen, 0.01) is None, "below all that was seen"
    assert needed_bps(seen, 0.999) is None, "above"
    assert needed_bps([*seen, Seen(1e12, 1.0)], 0.999), "nothing waited at all has a logarithm"


def test_the_mean_of_repetitions_has_an_interval() -> None:
    assert stalls.mean_of([1.0]) == (1.0, 1.0, 1.0)
    mean, low, high = stalls.mean_of([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert [low, high] == pytest.approx([2 - 2.484, 2 + 2.484], abs=1e-3)


def test_a_chart_is_a_picture_of_its_points() -> None:
    lines = [Line("a & b", [(1, 0.0), (100, 1.0)]), Line("said", [(10, 0.5)], marks=True, like=0)]
    root = ElementTree.fromstring(Chart("x", "y", (1, 10, 100), (0, 0.5, 1), lines).svg())
    circles = [it for it in root.iter() if it.tag.endswith("circle")]
    assert [(it.get("cx"), it.get("cy")) for it in circles] == [
        ("60.0", "350.0"),
        ("510.0", "20.0"),
    ]
    assert "a & b" in {it.text for it in root.iter()}
