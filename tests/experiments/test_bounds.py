"""How large a network a machine can be expected to emulate, and what is said beyond that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from experiments import bounds, doctor
from experiments.bounds import Bounds, bounds_for
from experiments.carrying import Carrying
from experiments.twin import twin_of
from experiments.twinbounds import beyond, counts_of, traffic_of
from tests.fakes.runs import MACHINE
from tests.fakes.scenarios import scenario_of, tiny

ROOT = Path(__file__).parents[2]
HOW = "in a ring"
FOUND: dict[str, Any] = {
    "machine": "a machine of two",
    "cores": 2,
    "counts": {
        "campuses": {"faithful": 16, "beyond": 20, "how": HOW},
        "hosts": {"faithful": 256, "beyond": None, "how": HOW},
        "spans": {"faithful": 12, "beyond": 14, "how": HOW},
        "ranks": {"faithful": 40, "beyond": 48, "how": HOW},
        "traffic": {"faithful": 75, "beyond": 100, "how": HOW},
    },
}
CARRYING = Carrying(((1500, 10**9), (9000, 3 * 10**9)), 500_000, "this machine")


@pytest.fixture(autouse=True)
def _measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the figures be these, whatever was measured last."""
    path = tmp_path / "limits.json"
    path.write_text(json.dumps(FOUND))
    monkeypatch.setattr(bounds, "MEASURED", path)
    bounds._measured.cache_clear()
    yield
    bounds._measured.cache_clear()


def counts(found: Bounds) -> dict[str, tuple[int, int | None]]:
    return {it.name: (it.faithful, it.beyond) for it in found.counts}


@pytest.mark.parametrize(
    ("cpus", "ranks", "where"),
    [
        (2, (40, 48), "measured on a machine of two"),
        (1, (20, 24), "by the processors here, from what was measured on a machine of two"),
        (8, (40, 48), "measured on a machine of two; with 8 processors it may be more"),
    ],
)
def test_counts_shrink_with_processors_and_never_grow(
    cpus: int, ranks: tuple[int, int], where: str
) -> None:
    found = bounds_for(cpus, None)
    assert counts(found)["ranks"] == ranks
    assert found.where == where


def test_traffic_goes_by_what_this_machine_carries() -> None:
    found = bounds_for(2, CARRYING)
    assert found.switched_bps(9000) == pytest.approx(0.75 * CARRYING.switched_bps(9000), abs=1)
    assert bounds_for(2, None).switched_bps(9000) is None, "nobody measured it"


def wide(campuses: int, workers: int = 1, rate: str = "1 Gbit/s") -> Any:
    names = [f"c{it}" for it in range(campuses)]
    fabric = {"kind": "star", "rate": rate}
    return scenario_of(
        tiny(
            network={
                "campuses": {name: {"workers": workers, "fabric": fabric} for name in names},
                "spans": {
                    f"s{it}": {"between": [a, b], "rate": rate, "delay": "5 ms"}
                    for it, (a, b) in enumerate(pairwise(names))
                },
            },
            timeline=None,
        )
    )


def test_a_scenario_within_all_limits_hears_nothing() -> None:
    scenario = wide(3)
    assert counts_of(scenario, twin_of(scenario)) == {
        "campuses": 3,
        "hosts": 3 + 2 * 2,
        "spans": 2,
        "ranks": 3,
    }
    assert beyond(scenario, twin_of(scenario), bounds_for(2, CARRYING)) == []


def test_each_limit_is_named_with_what_was_asked_and_what_to_do() -> None:
    scenario = wide(17, 3)
    said = beyond(scenario, twin_of(scenario), bounds_for(2, None))
    assert [line.split(":")[0] for line in said] == [
        "network.campuses",
        "network.spans",
        "network.campuses.*.workers",
    ]
    assert "17 campuses are asked for" in said[0]
    assert "faithful with up to 16, with 20 not (measured on a machine of two)" in said[0]
    assert "51 ranks are asked for; runs were faithful with up to 40, with 48 not" in said[2]
    assert all("or let the verdict decide: ./spanlab run FILE --strict" in line for line in said)


def test_rates_above_what_switches_carry_are_told() -> None:
    scenario = wide(2, 4, "40 Gbit/s")
    twin = twin_of(scenario)
    asked, most = traffic_of(scenario, twin), bounds_for(2, CARRYING).switched_bps(9000)
    assert asked is not None and most is not None and asked > most
    (line,) = beyond(scenario, twin, bounds_for(2, CARRYING))
    assert line.startswith("emulate: all workers together ask ")
    assert "were faithful with up to" in line
    assert "state no emulate.bytes" in line
    assert beyond(scenario, twin, bounds_for(2, None)) == [], "nobody measured this machine"


def test_the_doctor_tells_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "kept", lambda: CARRYING)
    console = Console(width=240)
    with console.capture() as shown:
        doctor.show_diagnosis(console, replace(MACHINE, cpus=2))
    said = shown.get()
    assert "16 campuses, 256 hosts, 12 spans, 40 ranks" in said
    assert "measured on a machine of two" in said
    assert "at MTU 9000" in said
    found = doctor.diagnosis(replace(MACHINE, cpus=1))["limits"]
    assert found["ranks"] == {"faithful": 20, "beyond": 24}
    assert found["switched_bps"]["9000"] == bounds_for(1, CARRYING).switched_bps(9000)


def test_the_doctor_says_what_was_not_measured_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "kept", lambda: None)
    console = Console(width=240)
    with console.capture() as shown:
        doctor.show_diagnosis(console, MACHINE)
    assert "spanlab doctor --measure" in shown.get().split("and of traffic")[1]


def test_what_ships_is_whole_and_documented() -> None:
    """The measured figures themselves: each limit has what it was measured with."""
    data = json.loads((ROOT / "experiments" / "limits.json").read_text())
    assert data["counts"].keys() <= FOUND["counts"].keys()
    page = (ROOT / "docs" / "limits.md").read_text()
    for found in bounds.bounds_of(data["counts"]):
        assert found.beyond is None or found.beyond > found.faithful > 0
        assert found.row in page


def test_what_nobody_measured_is_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "some.json"
    counts = {"ranks": FOUND["counts"]["ranks"]}
    path.write_text(json.dumps({**FOUND, "counts": counts}))
    monkeypatch.setattr(bounds, "MEASURED", path)
    bounds._measured.cache_clear()
    found = bounds_for(2, CARRYING)
    assert [it.name for it in found.counts] == ["ranks"]
    assert found.switched_bps(9000) is None
    scenario = wide(17, 3)
    (line,) = beyond(scenario, twin_of(scenario), found)
    assert "51 ranks" in line
