"""The report's pictures hold what they should, whatever the network looks like."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from experiments.coherence import NamedSteps, steps_of_phases
from experiments.figures import HEIGHT, WIDTH, map_svg, step_figure
from experiments.twin import twin_of
from tests.fakes.runs import FakeRun
from tests.fakes.scenarios import ring, scenario_of, tiny

SPAN = {"rate": "1 Gbit/s", "delay": "1 ms"}
UPGRADE = {"at": "step 9", "upgrade": "b", "with": "coherent-400g"}


def around(count: int) -> dict[str, Any]:
    names = [f"c{index}" for index in range(count)]
    pairs = zip(names, names[1:] + names[: count > 2], strict=False)
    return {
        "campuses": {name: {"workers": 2} for name in names},
        "spans": {f"{a}-{b}": {**SPAN, "route": f"{10 + len(a)} km"} for a, b in pairs},
    }


def named(run: FakeRun) -> list[NamedSteps]:
    phases = run.session.phases
    names = [phase.name for phase in phases]
    return list(zip(names, steps_of_phases(run.steps, phases), strict=True))


NETWORKS: dict[str, dict[str, Any]] = {
    "single span": tiny()["network"],
    "ring": ring()["network"],
    "one campus": {"campuses": {"alone": {"workers": 3}}},
    "two in a line": around(2),
    "eight campuses": around(8),
    "star of eight": {
        "campuses": {name: {"workers": 1} for name in "habcdefg"},
        "spans": {f"h-{name}": SPAN for name in "abcdefg"},
    },
    "parallel spans": {
        "campuses": {"a": {"workers": 1}, "z": {"workers": 1}},
        "spans": {name: {**SPAN, "between": ["a", "z"]} for name in ("s1", "s2", "s3")},
    },
    "no delay": {
        "campuses": {"a": {"workers": 1}, "z": {"workers": 1}},
        "spans": {"a-z": {"rate": "1 kbit/s", "delay": "0 ms", "loss": 1}},
    },
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_map_shows_every_campus_and_span(name: str) -> None:
    data = tiny(network=NETWORKS[name], timeline=[], emulate={"bytes": 1, "time": 1})
    scenario = scenario_of(data)
    svg = ElementTree.fromstring(map_svg(scenario, twin_of(scenario).changes))
    texts = [element.text for element in svg.iter() if element.tag.endswith("text")]
    for word in (*scenario.network.campuses, *scenario.network.spans):
        assert word in texts
    circles = [element for element in svg.iter() if element.tag.endswith("circle")]
    assert len(circles) == len(scenario.network.campuses)
    places = {(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in circles}
    assert len(places) == len(circles), "two campuses on one place"
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    for line in (element for element in svg.iter() if element.tag.endswith("line")):
        ends = [float(line.attrib[key]) for key in ("x1", "y1", "x2", "y2")]
        assert all(value == value for value in ends)


def test_an_upgraded_span_shows_both_states() -> None:
    aged = {"route": "70 km", "condition": "aged-10g-ook", "age": "15 years"}
    data = tiny(**{"network__spans__west-east": aged}, emulate={"bytes": "1/100", "time": 1})
    scenario = scenario_of(data)
    svg = map_svg(scenario, twin_of(scenario).changes)
    assert "70 km, 10 Gbit/s → 400 Gbit/s, loss " in svg
    assert "→ 0" in svg
    assert "stroke-dasharray" in svg
    assert svg.count("<line ") == 2


def test_parallel_spans_do_not_lie_on_each_other() -> None:
    scenario = scenario_of(tiny(network=NETWORKS["parallel spans"], timeline=[]))
    svg = map_svg(scenario, twin_of(scenario).changes)
    assert len(set(re.findall(r'<line (x1="\S+ y1="\S+ x2="\S+ y2="\S+)', svg))) == 3
    places = re.findall(r'<text x="(\S+)" y="(\S+)" class="span"', svg)
    assert len(set(places)) == 3


def test_the_step_figure_marks_phases_and_upgrades(tmp_path: Path) -> None:
    run = FakeRun(tmp_path / "run")
    run.record.close()
    html = step_figure(named(run), run.record.events, 0)
    for word in ("reference", "aged", "west-east upgraded", "spans aged", "step time (ms)"):
        assert word in html


def test_the_step_figure_of_a_run_that_stopped_in_its_reference(tmp_path: Path) -> None:
    run = FakeRun(tmp_path / "run")
    run.record.close()
    assert "reference" in step_figure([("reference", run.steps[:2])], [], 0)
