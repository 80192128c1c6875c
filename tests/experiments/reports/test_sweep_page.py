"""A sweep's page: what it found in words and pictures, and nothing doubtful mixed in."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from experiments.reports.facets import layout_of
from experiments.reports.findings import boundaries, effects, headline, tally
from experiments.reports.linefigures import pareto
from experiments.reports.making import make
from experiments.reports.prices import prices_of
from experiments.reports.scales import scale_of
from experiments.reports.swept import SweepFolder, read_sweep
from experiments.sweep.store import LEDGER
from tests.experiments.reports.downloads import saved
from tests.experiments.test_comparing import finished
from tests.experiments.test_report import Loads
from tests.fakes.sweeps import DELAY, LOSS
from tests.fakes.swept import leave_sweep
from topologies.files import FileError

STRATEGY, RATE = "workload.strategy", "network.spans.*.rate"
STRATEGIES: list[Any] = ["ddp", {"name": "local-sgd", "every": 2}]
GRID = {DELAY: ["1 ms", "10 ms", "20 ms"], LOSS: [0, 1e-4, 1e-2], STRATEGY: STRATEGIES}
LAST = "west-east upgraded"


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Leave 18 points, twice each: one is doubtful, one half so, one failed."""
    folder = tmp_path_factory.mktemp("grid")
    return leave_sweep(folder, vary=GRID, repetitions=2, doubt=[0, 1, 2], fail=[34, 35])


def page_of(folder: Path) -> tuple[str, Loads, str]:
    made = make([folder])
    html = made.path.read_text()
    loads = Loads()
    loads.feed(html)
    return made.headline, loads, html


def data(html: str, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(saved(html, name))))


def test_it_says_what_was_found(grid: Path) -> None:
    headline, page, html = page_of(grid)
    text = " ".join(page.text.split())
    assert headline.startswith("10 of 16 points are coherent; loss matters most")
    for word in (
        headline,
        "without a faithful run, marked and counted nowhere: 1 point",
        "without a result, since all runs failed: 1 point",
        "ddp: at delay 1 ms to 10 ms coherent up to loss 0.0001; at delay 20 ms nowhere coherent",
        "rank 1 (east-w1) was killed by signal 9",
        "Where coherence is 0.95",
        f"./spanlab report {grid}",
        "torch 2",
        "network.spans.*.loss",
    ):
        assert word in text, word
    assert all(it.startswith("a href=data:text/") for it in page.loads)
    assert len(data(html, "points-every-phase-of-every-run")) == 34 * 2 + 2


def test_a_doubtful_point_has_no_colour_and_no_part_in_the_contour(grid: Path) -> None:
    _, page, html = page_of(grid)
    cells = data(html, "coherence-ddp")
    assert len(cells) == 9
    values = {(it["delay"], it["loss"]): it["coherence"] for it in cells}
    assert values["1 ms", "0"] == "", "neither run was faithful"
    assert float(values["1 ms", "0.0001"]) > 0.99
    assert "0.99 ?" not in values.values()
    assert "1.00 ?" in html, "its number is there, marked"
    contour = [it for it in data(html, "where-coherence-is-0-95") if it["series"] == "ddp"]
    assert contour[0]["coherence"] == ""
    assert "does not count" in page.text


def test_of_repetitions_only_faithful_ones_count(grid: Path) -> None:
    found = {it.point: it for it in read_sweep(grid).found(LAST)}
    nobody, half, failed = found[0], found[1], found[17]
    assert (nobody.counts, nobody.faithful, nobody.runs) == (False, 0, 2)
    assert (half.counts, half.faithful, half.runs) == (True, 1, 2)
    assert half.verdicts == ("degraded", "faithful")
    assert (failed.counts, failed.coherence) == (False, None)


def test_the_words_are_those_of_points_alone(grid: Path) -> None:
    sweep = read_sweep(grid)
    found, layout = sweep.found(LAST), layout_of(sweep)
    lines = boundaries(layout, layout.facets(found))
    assert [line.partition(":")[0] for line in lines] == ["ddp", "local-sgd, every 2"]
    assert "1e-4" not in " ".join(lines)
    shares = effects([it for it in found if it.counts], sweep.fields)
    assert set(shares) == {"delay", "loss", "strategy"}
    assert max(shares, key=lambda name: shares[name]) == "loss"
    assert all(0 <= share <= 1 for share in shares.values())
    assert tally(found, 20)[-1] == "not run yet: 2 points of 20"
    nothing = [it for it in found if not it.counts]
    assert "nothing to conclude" in headline(nothing, sweep.fields)


def test_a_rising_field_is_said_from_where_on(tmp_path: Path) -> None:
    rates = ["1 Gbit/s", "10 Gbit/s", "40 Gbit/s"]
    folder = leave_sweep(
        tmp_path, lambda point: (0.4, 0.96, 0.99)[point.point % 3],
        vary={STRATEGY: ["ddp", "fp16"], RATE: rates},
    )  # fmt: skip
    sweep = read_sweep(folder)
    layout = layout_of(sweep)
    lines = boundaries(layout, layout.facets(sweep.found(LAST)))
    assert lines == [f"{name}: coherent from rate 10 Gbit/s on" for name in ("ddp", "fp16")]
    _, page, html = page_of(folder)
    assert "What it costs" in page.text
    assert len(data(html, "coherence-against-rate")) == 6
    front = data(html, "coherence-against-rate-gbit-s")
    best = [it for it in front if it["series"].startswith("Pareto")]
    assert [float(it["rate (Gbit/s)"]) for it in best] == [1, 10, 40]


def test_upgrades_are_weighed_by_their_cost(tmp_path: Path) -> None:
    scenario = {"plan": {"costs": {"coherent-400g": 1000, "coherent-100g": 10}}}
    names = ["coherent-400g", "coherent-100g"]
    folder = leave_sweep(
        tmp_path, lambda point: 0.9 - 0.3 * point.point,
        vary={"timeline.0.with": names}, scenario_plan=scenario["plan"],
    )  # fmt: skip
    sweep = read_sweep(folder)
    (price,) = prices_of(sweep)
    assert price.of == {0: 1000, 1: 10}
    assert [it.point for it in pareto(price.of, sweep.found(LAST))] == [1, 0]
    _, page, _ = page_of(folder)
    assert "What it costs" in page.text


def test_drawn_points_lie_where_their_numbers_do(tmp_path: Path) -> None:
    ranges = {
        DELAY: {"from": "1 ms", "to": "50 ms", "scale": "log"},
        LOSS: {"from": 1e-6, "to": 1e-2, "scale": "log"},
    }
    folder = leave_sweep(tmp_path, vary=ranges, design="sobol", points=16, doubt=[3])
    headline, page, html = page_of(folder)
    assert "of 15 points" in headline
    points = data(html, "coherence")
    assert len(points) == 16, "of the last phase"
    kinds = {it["series"] for it in points}
    assert "not faithful or failed" in kinds
    assert "interpolated" in page.text


def test_points_in_a_line_enclose_no_contour(tmp_path: Path) -> None:
    vary = {DELAY: ["1 ms", "2 ms"], LOSS: [0.001, 0.002]}
    folder = leave_sweep(tmp_path, vary=vary, design="zip")
    _, page, _ = page_of(folder)
    assert "Where coherence is 0.95" in page.text


def test_names_alone_are_points_too(tmp_path: Path) -> None:
    folder = leave_sweep(tmp_path, lambda it: 0.96 - it.point / 2, vary={STRATEGY: STRATEGIES})
    headline, _, html = page_of(folder)
    assert headline == "1 of 2 points is coherent."
    assert [it["point"] for it in data(html, "coherence-by-point")] == ["ddp", "local-sgd, every 2"]


def test_a_sweep_at_work_gets_a_page_of_what_there_is(grid: Path, tmp_path: Path) -> None:
    folder = tmp_path / "part"
    folder.mkdir()
    folder.joinpath("sweep.yaml").write_bytes((grid / "sweep.yaml").read_bytes())
    lines = (grid / LEDGER).read_bytes().splitlines(keepends=True)
    folder.joinpath(LEDGER).write_bytes(b"".join(lines[:10]) + lines[10][:50])
    sweep = read_sweep(folder)
    assert len(sweep.ended) == 10
    assert "not run yet: 13 points of 18" in page_of(folder)[1].text
    folder.joinpath(LEDGER).unlink()
    with pytest.raises(FileError, match=r"no point of this sweep has ended; run ./spanlab sweep"):
        read_sweep(folder)


def test_a_sweep_is_not_mixed_with_runs(grid: Path, tmp_path: Path) -> None:
    run = finished(tmp_path, "one")
    with pytest.raises(FileError, match=r"is a sweep, whose page is made alone; .*points/"):
        make([run, grid])


def test_small_and_zero_numbers_have_a_place(grid: Path) -> None:
    sweep: SweepFolder = read_sweep(grid)
    loss = next(field for field in sweep.fields if field.name == "loss")
    scale = scale_of(loss)
    assert [scale.at(0), scale.at(1e-4), scale.at(1e-2)] == [-5, -4, -2]
    places, texts = scale.ticks
    assert (places, texts) == ([-5.0, -4.0, -2.0], ["0", "0.0001", "0.01"])
    delay = next(field for field in sweep.fields if field.name == "delay")
    assert scale_of(delay).ticks[1] == ["1 ms", "10 ms", "20 ms"]


def test_points_that_differ_in_the_seed_are_repetitions(tmp_path: Path) -> None:
    vary = {DELAY: ["1 ms", "20 ms"], "seed": [1, 2, 3]}
    folder = leave_sweep(tmp_path, lambda it: 0.9 + 0.01 * it.point, vary=vary, doubt=[5])
    first, second = read_sweep(folder).found(LAST)
    assert (first.faithful, first.runs, second.faithful, second.runs) == (3, 3, 2, 3)
    assert first.coherence == pytest.approx(0.91)
    assert first.low is not None and first.low < 0.9, "the interval of three"
    assert "of 2 points with a faithful run" in page_of(folder)[1].text


def test_one_delay_and_one_loss_span_the_plane(tmp_path: Path) -> None:
    span = "network.spans.west-east"
    vary = {
        f"{span}.rate": ["1 Gbit/s", "2 Gbit/s"],
        f"{span}.loss": [0, 0.01],
        f"{span}.delay": ["1 ms", "2 ms"],
    }
    layout = layout_of(read_sweep(leave_sweep(tmp_path, lambda it: 0.9, vary=vary)))
    assert [field.name for field in layout.axes] == ["delay", "loss"]
    assert [field.name for field in layout.others] == ["rate"]
