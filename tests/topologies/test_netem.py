"""netem's words for a link state, and whether it took them."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest

from topologies.emulation.netem import netem_difference, netem_options
from topologies.linkstate import LinkState

STATE = LinkState(10**9, 50_000_123, loss=1.4e-4, mtu=1500)


def options_of(state: LinkState) -> dict[str, str]:
    words = netem_options(state)
    return dict(zip(words[::2], words[1::2], strict=True))


def nanoseconds(text: str) -> Fraction:
    """Read a time as ``tc`` does."""
    number, unit = re.fullmatch(r"([0-9.]+)(ns|us|ms|s)", text).groups()  # type: ignore[union-attr]
    return Fraction(number) * {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}[unit]


def shown(**changes: Any) -> dict[str, Any]:
    """Return what ``tc -j qdisc show`` says of `STATE`."""
    options = {
        "limit": 12385,
        "delay": {"delay": 0.050000123, "jitter": 0, "correlation": 0},
        "loss-random": {"loss": 0.00014, "correlation": 0},
        "rate": {"rate": 125_000_000, "packetoverhead": 0},
    }
    return {**options, **changes}


def test_options_carry_every_number_without_rounding() -> None:
    options = options_of(STATE)
    assert nanoseconds(options["delay"]) == 50_000_123
    assert options["rate"] == "1000000000bit"
    assert float(options["loss"].rstrip("%")) / 100 == pytest.approx(1.4e-4, abs=1e-9)


def test_the_limit_holds_the_queue_and_what_is_on_the_way() -> None:
    # 1 Gbit/s x 50 ms: 6.25 MB on the way and a queue of a round trip, 12.5 MB.
    assert int(options_of(STATE)["limit"]) == pytest.approx(18_750_000 / 1514, abs=2)
    assert int(options_of(LinkState(10**6, 0, queue_bytes=1, mtu=1500))["limit"]) >= 1


def test_a_link_that_is_down_loses_everything() -> None:
    down = LinkState(10**9, 0, up=False)
    assert float(options_of(down)["loss"].rstrip("%")) == 100
    assert netem_difference(down, {"rate": {"rate": 125_000_000}}) is not None
    in_force = {"rate": {"rate": 125_000_000}, "loss-random": {"loss": 1.0}, "limit": 32}
    assert netem_difference(down, in_force) is None


def test_what_was_asked_for_is_found_in_force() -> None:
    assert netem_difference(STATE, shown()) is None


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"delay": {"delay": 0.05}}, None),
        ({"delay": {"delay": 0.04}}, "delay"),
        ({"delay": {"delay": 0.0501}}, "delay"),
        ({"loss-random": {"loss": 0.00015}}, "loss"),
        ({"loss-random": {}}, "loss"),
        ({"rate": {"rate": 124_000_000}}, "rate"),
        ({"rate": {"rate": 0}}, "rate"),
    ],
)
def test_a_difference_is_named(changes: dict[str, Any], name: str | None) -> None:
    fault = netem_difference(STATE, shown(**changes))
    if name is None:
        assert fault is None
    else:
        assert fault is not None
        assert fault.startswith(name)


def test_options_that_are_missing_are_differences() -> None:
    assert netem_difference(STATE, {}) is not None


def test_a_limit_that_was_not_taken_is_a_difference() -> None:
    wanted = int(options_of(STATE)["limit"])
    assert netem_difference(STATE, shown(limit=wanted)) is None
    assert netem_difference(STATE, shown(limit=1000)) is not None
