from __future__ import annotations

import json
import math

import pytest

from benchmarks.scoreboard import Study, Table, Target, cell, page


def study() -> Study:
    return Study(
        "jitter",
        "Jitter of links",
        tables=[Table(["link", "ms"], [["a", 1.23456], ["b", None]], "Measured")],
        targets=[Target("RMSE", 0.5, 0.02, unit="ms"), Target("frames", 3, 2, at_most=False)],
        remarks=["Only one."],
        measured={"Measured": "today", "on": "a machine"},
        raw={"count": 7},
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), ("a", "a"), (12, "12"), (1.23456, "1.235"), (122000.4, "122000"), (0.0, "0")],
)
def test_cells(value, text):
    assert cell(value) == text


def test_a_target_that_is_no_number_is_missed():
    assert not Target("x", math.nan, 1).met
    assert not Target("x", math.inf, 1).met
    assert Target("x", 1, 1).met
    assert Target("x", 1, 1, at_most=False).met


def test_the_page_shows_every_target_table_and_remark():
    lines = page({"jitter": study()}).splitlines()
    assert "1 of 2 targets met." in lines
    assert "| jitter | RMSE | 0.5 ms | <= 0.02 ms | **missed** |" in lines
    assert "| jitter | frames | 3 | >= 2 | met |" in lines
    assert "Measured today; on a machine." in lines
    assert lines[lines.index("Measured:") + 2 :][:4] == [
        "| link | ms |",
        "| --- | --- |",
        "| a | 1.235 |",
        "| b | - |",
    ]
    assert lines[-1] == "- Only one."


def test_a_study_is_kept_as_json():
    data = json.loads(json.dumps(study().to_json()))
    assert Study.from_json(data) == study()
