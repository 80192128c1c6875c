"""The report's map shows every campus and span, and no label covers another."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest

from experiments.mapfigure import DETAIL_PX, HEIGHT, NAME_PX, RADIUS, WIDTH, Box, map_svg
from experiments.twin import twin_of
from tests.fakes.scenarios import ring, scenario_of, tiny

SPAN = {"rate": "1 Gbit/s", "delay": "1 ms"}


def around(count: int) -> dict[str, Any]:
    names = [f"c{index}" for index in range(count)]
    pairs = zip(names, names[1:] + names[: count > 2], strict=False)
    return {
        "campuses": {name: {"workers": 2} for name in names},
        "spans": {f"{a}-{b}": {**SPAN, "route": f"{10 + len(a)} km"} for a, b in pairs},
    }


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


@pytest.mark.parametrize("name", NETWORKS)
def test_no_label_covers_another_or_a_campus(name: str) -> None:
    data = tiny(network=NETWORKS[name], timeline=[], emulate={"bytes": 1, "time": 1})
    scenario = scenario_of(data)
    svg = map_svg(scenario, twin_of(scenario).changes)
    found = re.findall(
        r'<text x="(\S+)" y="(\S+)" class="span">(.*?)</text><text .*? class="detail">(.*?)<', svg
    )
    assert len(found) == len(scenario.network.spans)
    taken = []
    for x, y, span, details in found:
        half = max(NAME_PX * len(span), DETAIL_PX * len(details)) / 2
        taken.append(Box(float(x) - half, float(y) - 13, float(x) + half, float(y) + 21))
    for x, y in re.findall(r'cx="(\S+)" cy="(\S+)"', svg):
        at = float(x), float(y)
        taken.append(Box(at[0] - RADIUS, at[1] - RADIUS, at[0] + RADIUS, at[1] + RADIUS))
    for a, b in combinations(taken, 2):
        assert a.shared(b) < 40, "half a pixel at an edge is rounding"
