"""What strategies declare, without running any."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workloads.launcher import ROOT
from workloads import strategies
from workloads.option import Option, Value

NAMES = strategies.names()
SITES = ("west", "west", "east")
EQUAL = ("west", "west", "east", "east")
PAIRED = {"pipeline", "fsdp-hybrid"}
"""Strategies that need as many workers at every campus."""
WITHOUT_TORCH = """
import sys
from experiments import cli, exchanges, scenario, strategylist
from workloads import strategies
strategylist.listed()
for name in strategies.names():
    sites = ("west", "west", "east", "east")
    assert strategies.refuse(name, sites, strategies.settled(name, {})) is None, name
assert "torch" not in sys.modules
"""


def test_strategies_are_listed_and_checked_without_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT_TORCH],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_strategy_takes_the_options_that_it_declares(name: str) -> None:
    declared = strategies.declaration(name)
    takes = list(inspect.signature(strategies.load(name)).parameters)
    assert takes == ["model", "job", *declared.options]
    assert declared.about.endswith("."), "one sentence, on one line"
    assert len(declared.about) < 100
    assert strategies.settled(name, {}) == {
        key: option.default for key, option in declared.options.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_nobody_trains_alone(name: str) -> None:
    options = strategies.settled(name, {})
    assert strategies.refuse(name, EQUAL if name in PAIRED else SITES, options) is None
    assert "nobody to train with" in (strategies.refuse(name, ("west",), options) or "")


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ({"every": 4, "fragments": 5}, "5 fragments cannot meet in turn every 4 steps"),
        ({"every": 4, "delay": 4}, "after 4 steps, before its delay of 4"),
    ],
)
def test_fragments_that_cannot_meet_in_turn_are_refused(
    stated: dict[str, object], reason: str
) -> None:
    options = strategies.settled("streaming-diloco", stated)
    assert reason in (strategies.refuse("streaming-diloco", SITES, options) or "")


@pytest.mark.parametrize(
    ("name", "sites", "reason"),
    [
        ("pipeline", ("west", "west"), "all workers are at one campus, west; it takes two or more"),
        ("pipeline", SITES, "as many workers each; they have: west 2, east 1"),
        ("serving", ("west", "west"), "requests come from other campuses, and all workers are at"),
        ("fsdp-hybrid", ("west", "east"), "each campus has one worker"),
        ("fsdp-hybrid", ("west", "west"), "all workers are at one campus, west"),
        ("fsdp-hybrid", SITES, "as many workers each; they have: west 2, east 1"),
        ("pipeline", tuple(f"site-{n}" for n in range(9)), "9 stages cannot all be busy with 8"),
    ],
)
def test_campuses_that_do_not_fit_are_refused(
    name: str, sites: tuple[str, ...], reason: str
) -> None:
    assert reason in (strategies.refuse(name, sites, strategies.settled(name, {})) or "")


@pytest.mark.parametrize(
    ("name", "sites", "gradients", "stated", "reason"),
    [
        # 8 layers of 12,500 floats: 111 x 111 and some.
        ("pipeline", EQUAL, 400_000, {"activations": 400}, "400 B, but the small model's own are"),
        ("pipeline", EQUAL, 400_000, {"activations": 444}, None),
        ("pipeline", tuple("abcd"), 12, {"activations": 444}, "3 layers has too few for 4 stages"),
        ("serving", EQUAL, 4000, {"response": 12}, None),
        ("ddp", EQUAL, 4, {}, None),
    ],
)
def test_what_is_too_small_when_emulated_is_said(
    name: str, sites: tuple[str, ...], gradients: int, stated: dict[str, object], reason: str | None
) -> None:
    options = strategies.settled(name, stated)
    found = strategies.too_small(name, sites, gradients, 100_000, options)
    assert found is None if reason is None else reason in (found or "")


@pytest.mark.parametrize(
    ("option", "value", "taken"),
    [
        (Option(3, "", least=1), 1, 1),
        (Option(3, "", least=1, most=4), 4, 4),
        (Option(0.5, "", most=1), 1, 1.0),
        (Option(True, ""), False, False),
    ],
)
def test_values_within_bounds_are_taken(option: Option, value: object, taken: Value) -> None:
    found = option.checked(value)
    assert found == taken
    assert type(found) is type(option.default)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (Option(3, "", least=1), 0),
        (Option(3, "", least=1, most=4), 5),
        (Option(3, ""), 2.0),
        (Option(3, ""), True),
        (Option(3, ""), None),
        (Option(0.5, "", most=1), 1.01),
        (Option(0.5, ""), float("nan")),
        (Option(0.5, ""), "0.5"),
        (Option(True, ""), 1),
        (Option(64, "", least=4, unit="size"), 3),
    ],
)
def test_other_values_are_refused(option: Option, value: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        option.checked(value)


def test_the_documentation_lists_what_strategies_say_of_themselves() -> None:
    text = (ROOT / "docs" / "strategies.md").read_text()
    for name, sentence in strategies.descriptions().items():
        assert f"| `{name}` | {sentence} |" in text


def test_every_file_of_the_folder_is_a_strategy() -> None:
    folder = Path(strategies.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert files == {name.replace("-", "_") for name in NAMES}
