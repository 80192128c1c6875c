"""The derivation of a span."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rich.console import Console

from experiments.explain import YEARS, explanation_of, show, write_page
from experiments.scenario import Scenario
from tests.fakes.scenarios import tiny
from topologies.errors import NetworkError

AGED = {"route": "70 km", "condition": "aged-10g-ook", "age": "15 years"}
EVENTS = [
    {"at": "step 6", "upgrade": "west-east", "with": "enable-fec"},
    {"at": "step 9", "upgrade": "west-east", "with": "coherent-400g"},
]


def scenario(span: dict[str, Any] | None = None) -> Scenario:
    data = tiny(**{"network__spans__west-east": span or AGED, "timeline": EVENTS})
    return Scenario.model_validate(data)


def test_every_step_from_kilometres_to_packets() -> None:
    found = explanation_of(scenario(), "west-east")
    assert [stage.name for stage in found.stages] == ["as it is", "enable-fec", "coherent-400g"]
    first, _, last = found.stages
    names = [line.quantity for line in first.lines]
    for name in ("route", "repairs", "attenuation", "margin", "bit-error rate", "frame loss"):
        assert name in names
    assert "GSNR" in [line.quantity for line in last.lines]
    json.dumps(found.to_json())


def test_the_sum_of_the_parts_is_what_is_printed() -> None:
    found = explanation_of(scenario(), "west-east")
    line = next(it for it in found.stages[0].lines if it.quantity == "attenuation")
    parts = [float(word) for word in line.origin.split() if word.replace(".", "").isdigit()]
    assert sum(parts) == pytest.approx(float(line.value.split()[0]), abs=0.02)


def test_a_life_with_and_without_error_correction() -> None:
    found = explanation_of(scenario(), "west-east")
    assert found.life[0].years == 0
    assert found.life[-1].years == YEARS
    losses = [point.loss for point in found.life]
    assert losses == sorted(losses)
    assert found.other == "with G.709 RS(255,239)"
    gone = [point.years for point in found.other_life if not point.up]
    lossy = [point.years for point in found.life if point.loss > 1e-3]
    assert not gone or min(gone) > min(lossy), "it is clean for years, and then it is gone"


def test_what_cannot_be_explained_says_so() -> None:
    with pytest.raises(NetworkError, match='did you mean "west-east"'):
        explanation_of(scenario(), "west-est")
    stated = {"route": "70 km", "rate": "1 Gbit/s"}
    data = tiny(**{"network__spans__west-east": stated, "timeline": []})
    with pytest.raises(NetworkError, match="states its link outright"):
        explanation_of(Scenario.model_validate(data), "west-east")


def test_the_screen_and_the_page(tmp_path: Any) -> None:
    found = explanation_of(scenario(), "west-east")
    console = Console(width=100, record=True, file=(tmp_path / "screen").open("w"))
    show(console, found)
    console.file.close()
    text = console.export_text()
    assert "15 now" in text
    assert "Poisson(" in text
    write_page(tmp_path / "page.html", scenario(), found)
    assert "enable-fec" in (tmp_path / "page.html").read_text().lower()
