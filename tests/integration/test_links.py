"""``spanlab links`` finds spans as intended, and one that is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.linkverdict import INTENDED, MEASURED
from tests.fakes.scenarios import write
from tests.integration.planted_links import MS, SCENARIO, SPAN
from tests.integration.runs import ENVIRONMENT, spanlab

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ovs, pytest.mark.slow]


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = write(tmp_path_factory.mktemp("links"), SCENARIO)
    done = spanlab("links", path, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_both_directions_are_as_intended(answer: Any) -> None:
    assert [(way["span"], way["direction"]) for way in answer] == [
        (SPAN, "forward"),
        (SPAN, "backward"),
    ]
    for way in answer:
        assert (way["ok"], way["reasons"]) == (True, [])
        assert tuple(way["intended"]) == INTENDED
        assert tuple(way["measured"]) == MEASURED


def test_each_direction_is_measured_by_itself(answer: Any) -> None:
    forward, backward = (way["measured"] for way in answer)
    assert forward["rate_bps"] == pytest.approx(20e6, rel=0.05)
    assert backward["rate_bps"] == pytest.approx(10e6, rel=0.03)
    assert forward["one_way_ns"] == pytest.approx(6 * MS, abs=MS)
    assert backward["one_way_ns"] == pytest.approx(3 * MS, abs=MS)
    assert forward["rtt_ns"] == backward["rtt_ns"] == pytest.approx(9 * MS, abs=1.5 * MS)
    assert forward["jitter_ns"] == pytest.approx(MS, rel=0.3)
    assert backward["jitter_ns"] < 0.5 * MS
    assert forward["duplicated"] == forward["reordered"] == 0
    assert backward["duplicated"] > 0


def measured_wrong(what: str, logs: Path) -> list[list[str]]:
    """Return what `links` finds wrong in each direction of a span in another state."""
    script = Path(__file__).with_name("planted_links.py")
    done = subprocess.run(
        [sys.executable, str(script), str(logs), what],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_a_wrong_state_is_found_in_its_direction(tmp_path: Path) -> None:
    forward, backward = measured_wrong("forward slower and longer", tmp_path)
    assert {"one_way_ns", "rtt_ns", "rate_bps", "dropped"} <= set(forward)
    assert "rtt_ns" in backward, "a round trip has both ways in it"
    assert not {"rate_bps", "dropped", "loss", "full_frame_loss"} & set(backward)


@pytest.mark.thorough
def test_missing_jitter_and_too_much_loss_are_found(tmp_path: Path) -> None:
    forward, backward = measured_wrong("no jitter forward, much loss backward", tmp_path)
    assert {"jitter_ns", "interarrival_jitter_ns"} <= set(forward)
    assert {"loss", "jitter_ns"} <= set(backward)
