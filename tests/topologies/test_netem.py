"""netem's words for a link state, what it refuses, and whether it took them."""

from __future__ import annotations

import json
import re
import statistics
from copy import deepcopy
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from topologies.emulation.netem.stages import (
    ENTRIES,
    LARGEST,
    PASSING,
    RED_WEIGHT_LOG,
    SIGMA,
    UNLIMITED,
    burst_bytes,
    difference,
    packets_of,
    table_name,
    table_stretch,
    table_text,
    unable,
    words_of,
)
from topologies.emulation.netem.way import Way
from topologies.linkstate import Jitter, LinkState, Loss, Red

MS = 10**6
STATE = LinkState(10**9, 50_000_123, loss=Loss(1.4e-4), mtu=1500)
RED = Red(50_000, 150_000, 0.1, ecn=True)
QUEUED = LinkState(10**7, MS, queue_bytes=200_000, mtu=1500, red=RED)


def numbers(words: str) -> dict[str, str]:
    """Return the word behind each word."""
    parts = words.split()
    return dict(pairwise(parts))


def nanoseconds(text: str) -> Fraction:
    """Read a time as ``tc`` does."""
    number, unit = re.fullmatch(r"([0-9.]+)(ns|us|ms|s)", text).groups()  # type: ignore[union-attr]
    return Fraction(number) * {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}[unit]


def shown(**line: Any) -> dict[str, Any]:
    """Return what ``tc -j`` shows of `STATE`."""
    options = {
        "limit": UNLIMITED,
        "delay": {"delay": 0.0500001, "jitter": 0, "correlation": 0},
        "loss-random": {"loss": 0.00014, "correlation": 0},
        "rate": {"rate": 125_000_000_000, "packetoverhead": 0},
        "gap": 0,
    }
    rate = {"limit": 8257, "rate": {"rate": 125_000_000}}
    return {
        "gate": {"kind": "gact", "control_action": {"type": "pipe"}},
        "bucket": {"options": {"rate": 12_500_000_000}},
        "red": {"options": {"limit": 10**9, "ecn": False}},
        "rate": {"options": rate},
        "line": {"options": {**options, **line}},
    }


def test_words_carry_every_number_without_rounding() -> None:
    words = words_of(STATE)
    assert nanoseconds(numbers(words.line)["delay"]) == 50_000_123
    assert numbers(words.rate)["rate"] == "1000000000bit"
    assert numbers(words.line)["random"] == "0.01400000%"
    assert numbers(words.size)["mtu"] == "1514"
    assert words.gate == "pipe"


def test_the_default_queue_is_of_full_frames() -> None:
    # 1 Gbit/s x 100 ms there and back.
    assert packets_of(STATE) == pytest.approx(12_500_000 / 1514, abs=1)
    assert numbers(words_of(STATE).rate)["limit"] == str(packets_of(STATE))
    assert packets_of(LinkState(10**6, 0, queue_packets=7)) == 7


def test_what_was_asked_for_before_is_taken_back() -> None:
    # netem keeps what a change does not state.
    for name in ("duplicate", "corrupt", "rate"):
        assert name in words_of(STATE).line


def test_frames_keep_their_order_unless_they_need_not() -> None:
    assert "rate 1000gbit" in words_of(LinkState(10**9, MS, jitter=Jitter(MS))).line
    assert "rate 0bit" in words_of(LinkState(10**9, MS, jitter=Jitter(MS, reorder=True))).line


def test_a_link_that_is_down_shuts_the_gate() -> None:
    assert words_of(LinkState(10**9, 0, up=False)).gate == "drop"


def test_losses_in_bursts_are_stated_in_netems_order() -> None:
    loss = Loss(good=0.001, bad=0.5, enter=0.01, leave=0.2)
    words = words_of(LinkState(10**9, MS, loss=loss)).line
    assert "loss gemodel 1.00000000% 20.00000000% 50.00000000% 0.10000000%" in words


def test_a_queue_by_bytes_waits_before_the_rate_which_then_has_no_limit() -> None:
    words, burst = words_of(QUEUED), burst_bytes(QUEUED)
    assert burst == 2 * 1514
    assert numbers(words.rate)["limit"] == str(UNLIMITED)
    assert words.bucket == f"tbf rate 10000000bit burst {burst} limit {burst}"
    red = numbers(words.red)
    # What is in the bucket's burst waits behind it.
    assert int(red["limit"]) == 200_000 - burst
    assert (int(red["min"]), int(red["max"])) == (50_000 - burst, 150_000 - burst)
    assert words.red.endswith("ecn")
    assert words_of(STATE).bucket == PASSING


@pytest.mark.parametrize("low", [5_000, 20_000, 100_000, 1_000_000])
def test_tc_concludes_the_weight_that_the_relay_has(low: int) -> None:
    words = numbers(words_of(LinkState(10**7, MS, mtu=1500, red=Red(low, 3_000_000))).red)
    burst, packets = int(words["burst"]), int(words["min"]) / int(words["avpkt"])
    # As tc_red_eval_ewma() of iproute2 does it.
    concluded = next(
        log
        for log in range(1, 32)
        if burst + 1 - packets <= (1 - (1 - 2.0**-log) ** burst) / 2.0**-log
    )
    assert concluded == RED_WEIGHT_LOG


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (LinkState(10**9, MS, loss=Loss(bit_error_rate=1e-6), mtu=1500), "full ones is 0.012"),
        (LinkState(10**9, MS, loss=Loss(pattern="01")), "pattern"),
        (LinkState(10**9, MS, queue_bytes=50_000, queue_packets=9), "alone \\(50000 B\\)"),
        (LinkState(10**9, MS, queue_bytes=20_000, mtu=1500), "in packets \\(14\\)"),
        (LinkState(10**7, MS, mtu=1500, red=Red(4000, 9000)), "raise the queue's red.min"),
        (LinkState(10**7, MS, red=Red(10**5, 10**7)), "lower the queue's red.max"),
    ],
)
def test_what_netem_cannot_do_is_refused_with_what_can_be_done(state: LinkState, says: str) -> None:
    reason = unable(state)
    assert reason is not None
    assert re.search(says, reason)


@pytest.mark.parametrize("state", [STATE, QUEUED, LinkState(10**9, MS, queue_packets=50)])
def test_what_it_can_do_is_not_refused(state: LinkState) -> None:
    assert unable(state) is None


@pytest.mark.parametrize(
    "jitter",
    [
        Jitter(3 * MS),
        Jitter(3 * MS, "uniform"),
        Jitter(3 * MS, "pareto"),
        Jitter.from_table((*[0] * 19, 9 * MS)),
    ],
    ids=lambda jitter: jitter.distribution,
)
def test_a_table_of_jitter_fits_netem_and_has_the_deviation(jitter: Jitter) -> None:
    entries = [int(line) for line in table_text(jitter).splitlines()]
    assert len(entries) == ENTRIES
    assert max(map(abs, entries)) <= LARGEST
    stretch = table_stretch(jitter)
    # Half a 16-bit step of rounding, and what lies between the entries.
    assert statistics.pstdev(entries) * stretch / SIGMA == pytest.approx(1, rel=2e-3)
    assert abs(statistics.fmean(entries)) < 2
    words = numbers(words_of(LinkState(10**9, 50 * MS, jitter=jitter)).line)
    assert words["distribution"] == table_name(jitter)


def test_a_shape_has_one_table_whatever_the_deviation() -> None:
    assert table_name(Jitter(1)) == table_name(Jitter(MS))
    assert table_name(Jitter(1)) != table_name(Jitter(1, "uniform"))
    assert table_text(Jitter(10)) == table_text(Jitter(MS))


def test_what_was_asked_for_is_found_in_force() -> None:
    assert difference(STATE, shown()) is None


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"delay": {"delay": 0.05}}, None),
        ({"delay": {"delay": 0.04}}, "line.delay"),
        ({"delay": {"delay": 0.0501}}, "line.delay"),
        ({"delay": {"delay": 0.05, "jitter": 0.001}}, "line.delay.jitter"),
        ({"loss-random": {"loss": 0.00015}}, "line.loss"),
        ({"loss-random": {}}, "line.loss"),
        ({"loss-gemodel": {"p": 0.1}, "loss-random": {}}, "line.loss"),
        ({"duplicate": {"duplicate": 0.1}}, "line.duplicate"),
        ({"corrupt": {"corrupt": 0.1}}, "line.corrupt"),
        ({"gap": 1, "reorder": {"reorder": 0.1}}, "line.gap"),
        ({"rate": {"rate": 0}}, "line.rate"),
        ({"limit": 1000}, "line.limit"),
    ],
)
def test_a_difference_is_named(changes: dict[str, Any], name: str | None) -> None:
    fault = difference(STATE, shown(**changes))
    assert (fault is None) == (name is None)
    assert (fault or "").startswith(name or "")


@pytest.mark.parametrize(
    ("stage", "changes", "name"),
    [
        ("gate", {"control_action": {"type": "drop"}}, "gate"),
        ("rate", {"options": {"limit": 8257, "rate": {"rate": 124_000_000}}}, "rate.rate"),
        ("rate", {"options": {"limit": 1000, "rate": {"rate": 125_000_000}}}, "rate.limit"),
        ("bucket", {"options": {"rate": 1000}}, "bucket"),
    ],
)
def test_a_difference_in_any_stage_is_named(stage: str, changes: Any, name: str) -> None:
    fault = difference(STATE, {**shown(), stage: changes})
    assert fault is not None
    assert fault.startswith(name)


def test_red_is_compared_to_its_weight() -> None:
    found = deepcopy(shown())
    burst = burst_bytes(QUEUED)
    found["bucket"]["options"]["rate"] = found["rate"]["options"]["rate"]["rate"] = 1_250_000
    found["rate"]["options"]["limit"] = UNLIMITED
    found["line"]["options"] |= {"delay": {"delay": 0.001}, "loss-random": {}}
    red = {"limit": 200_000 - burst, "min": 50_000 - burst, "max": 150_000 - burst}
    found["red"]["options"] = {**red, "ecn": True, "probability": 0.1, "ewma": 9}
    assert difference(QUEUED, found) is None
    for wrong in ({"ecn": False}, {"ewma": 8}, {"probability": 0.2}, {"min": 1}):
        found["red"]["options"] |= wrong
        fault = difference(QUEUED, found)
        assert fault is not None
        assert fault.startswith("red")


def test_options_that_are_missing_are_differences() -> None:
    assert difference(STATE, {}) is not None


def test_a_difference_can_be_read_from_json() -> None:
    assert difference(STATE, json.loads(json.dumps(shown()))) is None


def way(state: LinkState) -> Way:
    return Way(1, queue="q", rate="r", line="l", state=state)


def test_a_change_that_leaves_the_queue_by_bytes_alone_does_not_touch_it() -> None:
    before, wait_ns, after = way(STATE).changes(LinkState(10**8, MS))
    assert (before, wait_ns) == ([], 0)
    assert not any(" red " in line for line in after)


def test_frames_in_a_queue_by_bytes_are_let_on_before_it_is_changed() -> None:
    before, wait_ns, after = way(QUEUED).changes(STATE)
    assert any(PASSING in line for line in before)
    assert any(f"limit {UNLIMITED} rate 1000000000bit" in line for line in before)
    # The frame that the bucket waits for, at the old rate, and some milliseconds.
    assert wait_ns > 1514 * 8 * 10**9 // 10**7
    assert any(" red " in line for line in after)
    assert any(f"limit {packets_of(STATE)} " in line for line in after)


def test_a_queue_by_bytes_that_is_not_in_use_is_changed_at_once() -> None:
    before, wait_ns, after = way(STATE).changes(QUEUED)
    assert (before, wait_ns) == ([], 0)
    red, bucket = (
        next(place for place, line in enumerate(after) if kind in line)
        for kind in (" red ", " tbf ")
    )
    assert red < bucket


def test_where_draws_can_be_seeded_every_change_states_the_seed() -> None:
    seeded = way(STATE)
    seeded.seeding = " seed 7"
    _, _, after = seeded.changes(STATE)
    (line,) = (line for line in after if " dev l " in line)
    assert line.endswith(" seed 7")
