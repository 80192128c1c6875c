"""A sweep file becomes points: every one valid, or a message that says which is not and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.scenario import Scenario
from experiments.sweep.columns import RESERVED, names_of
from experiments.sweep.paths import places, put
from experiments.sweep.points import Point, check_all, expand, seed_of, text_of
from experiments.sweep.quantity import Quantity, quantity_of
from experiments.sweep.spec import load_sweep
from tests.fakes.scenarios import tiny, write
from tests.fakes.sweeps import DELAY, LOSS, write_sweep
from topologies.files import FileError


def points_of(folder: Path, **changes: Any) -> list[Point]:
    path = write_sweep(folder, **changes)
    points = expand(*load_sweep(path), str(path))
    check_all(points, str(path), lambda count: None)
    return points


def test_a_grid_is_every_combination(tmp_path: Path) -> None:
    points = points_of(tmp_path)
    assert [tuple(point.values.values()) for point in points] == [
        (delay, loss) for delay in ("1 ms", "10 ms") for loss in (0, 0.001, 0.01)
    ]
    assert points[4].scenario["network"]["spans"]["west-east"]["delay"] == "10 ms"
    assert points[4].scenario["network"]["spans"]["west-east"]["loss"] == 0.001
    assert [point.folder for point in points][:2] == ["00000-0", "00001-0"]


def test_a_number_without_a_point_is_a_number_all_the_same(tmp_path: Path) -> None:
    points = points_of(tmp_path, vary={LOSS: ["1e-4", "1E-3"]})
    assert [point.values[LOSS] for point in points] == [0.0001, 0.001]


def test_a_zip_goes_row_by_row(tmp_path: Path) -> None:
    vary = {DELAY: ["1 ms", "2 ms"], "workload.strategy": ["ddp", {"name": "diloco", "every": 2}]}
    points = points_of(tmp_path, design="zip", vary=vary)
    assert [point.scenario["workload"]["strategy"] for point in points] == vary["workload.strategy"]
    assert len(points) == 2


@pytest.mark.parametrize("design", ["random", "sobol"])
def test_what_is_drawn_follows_from_the_seed(tmp_path: Path, design: str) -> None:
    vary = {
        LOSS: {"from": "1e-6", "to": 1e-2, "scale": "log"},
        DELAY: {"from": "100 us", "to": "10 ms"},
        "workload.reference_steps": {"from": 4, "to": 7},
        "workload.strategy": ["ddp", "hierarchical"],
    }
    ask: dict[str, Any] = {"design": design, "points": 11, "vary": vary}
    points = points_of(tmp_path, **ask)
    assert [it.values for it in points] == [it.values for it in points_of(tmp_path, **ask)]
    assert [it.values for it in points] != [it.values for it in points_of(tmp_path, seed=1, **ask)]
    assert len(points) == 11
    losses = [point.values[LOSS] for point in points]
    assert all(1e-6 <= loss <= 1e-2 for loss in losses)
    assert sum(loss < 1e-4 for loss in losses) in range(2, 10), "half of a log scale"
    assert {type(point.values["workload.reference_steps"]) for point in points} == {int}
    assert {point.values["workload.strategy"] for point in points} == {"ddp", "hierarchical"}


def test_a_range_of_a_grid_holds_both_ends(tmp_path: Path) -> None:
    vary = {DELAY: {"from": "1 ms", "to": "100 ms", "scale": "log", "count": 3}}
    points = points_of(tmp_path, vary=vary)
    assert [point.values[DELAY] for point in points] == ["1 ms", "10 ms", "100 ms"]


def test_repetitions_have_seeds_of_their_own_the_same_for_every_point(tmp_path: Path) -> None:
    points = points_of(tmp_path, repetitions=3)
    seeds = [[it.scenario["seed"] for it in points if it.point == number] for number in (0, 5)]
    assert seeds[0] == seeds[1] == [3, seed_of(3, 1), seed_of(3, 2)]
    assert len(set(seeds[0])) == 3
    assert [it.folder for it in points][:4] == ["00000-0", "00000-1", "00000-2", "00001-0"]
    varied = points_of(tmp_path, repetitions=2, vary={"seed": [5, 6]})
    assert [point.seed for point in varied] == [5, seed_of(5, 1), 6, seed_of(6, 1)]


def test_the_scenario_may_be_a_file_beside_the_sweep(tmp_path: Path) -> None:
    write(tmp_path, tiny(name="beside"))
    assert points_of(tmp_path, scenario="lab.yaml")[0].scenario["name"] == "beside"
    with pytest.raises(FileError, match=r"scenario: there is no file 'absent.yaml'"):
        points_of(tmp_path, scenario="absent.yaml")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"vary": {}}, ("vary: names no field",)),
        ({"vary": {LOSS: []}}, (f"vary.{LOSS}: holds no value",)),
        ({"vary": {LOSS: 0.1}}, (f"vary.{LOSS}: '0.1' is not a list of values",)),
        ({"vary": {"network.spans.*.los": [0]}}, ("spans.west-east.los: unknown", '"loss"?')),
        ({"vary": {"network.spans.west-eat.loss": [0]}}, ("unknown span", '"west-east"?')),
        ({"vary": {"workload.stepps": [20]}}, ("point 0 (workload.stepps 20)", '"steps"?')),
        ({"vary": {"timeline.3.with": ["x"]}}, ("timeline has entries 0 to 0, and no 3",)),
        ({"vary": {"workload.*": [1]}}, ("nothing that * could stand for", "network.spans.*")),
        ({"vary": {"workload..steps": [1]}}, ("is not a path",)),
        ({"vary": {LOSS: [0], "network.spans.west-east": [{}]}}, ("both set network.spans.west",)),
        ({"vary": {LOSS: [0, 0.1], DELAY: ["1 ms"]}, "design": "zip"}, ("as many", "loss has 2")),
        ({"vary": {LOSS: {"from": 0, "to": 1}}}, ("a grid needs count",)),
        ({"vary": {LOSS: {"from": 0, "to": 1, "count": 3, "scale": "log"}}}, ("above 0 on a log",)),
        ({"vary": {LOSS: {"from": 1, "to": 0, "count": 3}}}, ("from must be below to",)),
        ({"vary": {DELAY: {"from": "1 ms", "to": "1 km", "count": 3}}}, ("duration, to a length",)),
        ({"vary": {DELAY: {"from": "1 mss", "to": "2 ms", "count": 3}}}, ("neither a number nor",)),
        ({"design": "sobol"}, ("points: is missing",)),
        ({"points": 3}, ("does not belong to a grid",)),
        ({"design": "latin"}, ("design: 'latin' should be",)),
        ({"repetitons": 2}, ("repetitons: unknown key", 'did you mean "repetitions"?')),
        ({"scenario": {"name": "x"}}, ("scenario: network: is missing",)),
        ({"scenario": tiny(workload__stepps=1)}, ("scenario: workload.stepps: unknown key",)),
        ({"vary": {LOSS: [0, 7, 8]}}, ("point 1 (network.spans.*.loss 7)", "less than or equal")),
        (
            {"vary": {"workload.gradients": ["4 MB", "1 kB", "2 kB"]}},
            ("point 1 (workload.gradients 1 kB)", "choose a larger emulate.bytes"),
        ),
        (
            {"vary": {"seed": {"from": 1, "to": 9999, "count": 2000}}, "repetitions": 100},
            ("has 2000 points in 100 repetitions; allowed: 100000",),
        ),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else str(value)[:40],
)
def test_a_sweep_that_will_not_do_is_refused(
    tmp_path: Path, changes: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(FileError) as refused:
        points_of(tmp_path, **changes)
    for part in (str(tmp_path / "sweep.yaml"), *parts):
        assert part in str(refused.value)


def test_the_same_fault_of_many_points_is_said_once(tmp_path: Path) -> None:
    vary = {"workload.stepps": [1], "seed": list(range(50))}
    with pytest.raises(FileError) as refused:
        points_of(tmp_path, vary=vary)
    assert len(str(refused.value).splitlines()) == 1
    assert "and 49 more" in str(refused.value)
    with pytest.raises(FileError, match="and 12 more faults"):
        points_of(tmp_path, vary={LOSS: [2 + number for number in range(20)]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-6", Quantity(1e-6)),
        (3, Quantity(3, whole=True)),
        (0.5, Quantity(0.5)),
        ("10 ms", Quantity(10_000_000, "duration")),
        ("2 Gbit/s", Quantity(2_000_000_000, "rate")),
    ],
)
def test_numbers_and_quantities_are_read(text: object, expected: Quantity) -> None:
    assert quantity_of(text) == expected


@given(st.integers(1, 2**62))
def test_a_rounded_quantity_can_be_read_again(value: int) -> None:
    rounded = Quantity(value, "size").rounded
    assert quantity_of(rounded.stated).value == round(rounded.value)
    assert abs(rounded.value - value) <= value / 1000


def test_every_span_is_reached_by_a_star_and_keys_are_made_on_the_way() -> None:
    data: dict[str, Any] = {"network": {"spans": {"a-b": {}, "b-c": {"rate": "1 Gbit/s"}}}}
    for place in places("network.spans.*.forward.loss", data):
        put(data, place, 0.1)
    assert data["network"]["spans"]["b-c"] == {"rate": "1 Gbit/s", "forward": {"loss": 0.1}}
    assert data["network"]["spans"]["a-b"] == {"forward": {"loss": 0.1}}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1 ms", "1 ms"),
        ({"name": "local-sgd", "every": 4}, "local-sgd every=4"),
        ({"bad": 0.5}, '{"bad": 0.5}'),
        (None, "null"),
        (0.1, "0.1"),
    ],
)
def test_values_are_said_in_words(value: object, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([DELAY, LOSS], ["delay", "loss"]),
        (["network.spans.a-b.loss", "network.spans.b-c.loss"], ["a_b_loss", "b_c_loss"]),
        (["timeline.0.with", "timeline.1.with"], ["timeline_0_with", "timeline_1_with"]),
        (["timeline.0.with"], ["timeline_0_with"]),
        (["error", "x.error"], ["varied_error", "x_error"]),
    ],
)
def test_columns_are_named_after_the_end_of_a_path(paths: list[str], names: list[str]) -> None:
    assert list(names_of(paths).values()) == names


def test_no_key_of_a_scenario_makes_a_column_that_sql_takes_for_its_own() -> None:
    with duckdb.connect() as database:
        words = "select keyword_name from duckdb_keywords() where keyword_category = 'reserved'"
        reserved = {word for (word,) in database.sql(words).fetchall()}

    def keys(node: Any) -> set[str]:
        if isinstance(node, list):
            return set().union(*map(keys, node))
        if not isinstance(node, dict):
            return set()
        return set(node.get("properties", {})) | set().union(*map(keys, node.values()))

    assert keys(Scenario.model_json_schema(by_alias=True)) & reserved == RESERVED
