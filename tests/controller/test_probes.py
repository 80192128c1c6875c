"""Probes: what they say of delay and loss, and when that outweighs what was told."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from controller.lldp import FRAME_BYTES
from controller.probes import (
    CHANCE,
    GRACE_NS,
    RECENT,
    SETTLED,
    WINDOW,
    Direction,
    LossSeen,
    Seen,
    SpanProbes,
    believed,
    binomial,
    fewer_lost,
    more_lost,
)
from topologies.linkstate import Jitter, LinkState, Loss

MS = 10**6
INTERVAL_NS = 100 * MS
COST_NS = 300_000
"""What the controller and the switches take of every frame's time."""


class Line:
    """Sends probes over one direction of a span, ten times a second."""

    def __init__(self, direction: Direction = "forward") -> None:
        self.probes = SpanProbes()
        self.direction: Direction = direction
        self.now_ns = 5 * 10**9
        self.number = 0
        for _ in range(20):
            self.probes.baseline(self.now_ns, self.now_ns + COST_NS)

    def send(self, *delays_ns: int | None) -> None:
        """Send one probe after the other: each arrives after its delay, or never."""
        for delay_ns in delays_ns:
            self.now_ns += INTERVAL_NS
            self.number += 1
            self.probes.sent("a-b", self.direction, self.number, self.now_ns)
            if delay_ns is not None:
                self.arrive(self.number, self.now_ns, delay_ns)

    def arrive(self, number: int, sent_ns: int, delay_ns: int) -> None:
        now_ns = sent_ns + delay_ns + COST_NS
        self.probes.received("a-b", self.direction, number, sent_ns, now_ns)

    def delay_ns(self) -> int | None:
        return self.probes.delay_ns("a-b", self.direction)

    def loss(self, wait_ns: int = 10 * 10**9) -> LossSeen | None:
        return self.probes.loss("a-b", self.direction, self.now_ns + wait_ns)

    def seen(self) -> Seen:
        return self.probes.seen("a-b", self.direction, self.now_ns + 10 * 10**9)


def test_nothing_is_said_of_what_was_never_probed() -> None:
    probes = SpanProbes()
    assert probes.seen("a-b", "forward", 0) == Seen(None, None, None)
    probes.forget("a-b")


def test_the_delay_is_the_least_without_what_the_machine_costs() -> None:
    line = Line()
    line.send(*[9 * MS] * 9)
    assert line.delay_ns() is None, "too few"
    line.send(5 * MS)
    assert line.delay_ns() == 5 * MS
    line.send(*[7 * MS] * (RECENT - 1))
    assert line.delay_ns() == 5 * MS
    line.send(7 * MS)
    assert line.delay_ns() == 7 * MS, "only recent answers count"


def test_the_delay_needs_a_baseline_and_is_never_negative() -> None:
    probes = SpanProbes()
    for number in range(RECENT):
        probes.sent("a-b", "forward", number, number)
        probes.received("a-b", "forward", number, number, number + 1000)
    for _ in range(9):
        probes.baseline(0, 5_000)
    assert probes.delay_ns("a-b", "forward") is None
    probes.baseline(0, 5_000)
    assert probes.delay_ns("a-b", "forward") == 0


def test_the_directions_and_spans_are_told_apart() -> None:
    line = Line()
    line.send(*[5 * MS] * 30)
    assert line.probes.delay_ns("a-b", "backward") is None
    assert line.probes.loss("b-c", "forward", 10**12) is None


def test_a_longer_delay_is_settled_after_more_answers() -> None:
    line = Line()
    line.send(*[5 * MS] * (SETTLED - 1))
    assert line.seen().settled_ns is None
    line.send(*[8 * MS] * SETTLED)
    assert line.seen().settled_ns == 8 * MS
    line.send(6 * MS, *[9 * MS] * (SETTLED - 1))
    assert (line.seen().delay_ns, line.seen().settled_ns) == (9 * MS, 6 * MS)


def test_lost_are_those_that_are_overdue() -> None:
    line = Line()
    line.send(*[5 * MS] * 30)
    line.send(None)
    grace_ns = GRACE_NS + 2 * (5 * MS + COST_NS)
    assert line.loss(grace_ns - 1) == LossSeen(0, 30)
    assert line.loss(grace_ns) == LossSeen(1, 31)


def test_answers_do_not_count_before_their_neighbours_could_be_overdue() -> None:
    line = Line()
    line.send(*[None, 5 * MS] * 30)
    assert line.loss(0) == LossSeen(25, 49), "those of the last second are left out, all of them"


def test_an_answer_later_than_expected_is_an_answer() -> None:
    line = Line()
    line.send(*[5 * MS] * 30)
    line.send(None)
    sent_ns = line.now_ns
    assert line.loss() == LossSeen(1, 31)
    line.arrive(line.number, sent_ns, 4 * 10**9)
    assert line.loss() == LossSeen(0, 31)


def test_the_window_slides() -> None:
    line = Line()
    line.send(*[None] * 19)
    assert line.loss() is None, "too few"
    line.send(None)
    assert line.loss() == LossSeen(20, 20)
    line.send(*[5 * MS] * (WINDOW - 1))
    assert line.loss() == LossSeen(1, WINDOW)
    line.send(5 * MS)
    assert line.loss() == LossSeen(0, WINDOW)


def test_copies_and_strangers_are_not_counted() -> None:
    line = Line()
    line.send(*[5 * MS] * 30, None)
    line.arrive(30, line.now_ns - INTERVAL_NS, 1 * MS)  # a second copy, and faster
    line.arrive(31, line.now_ns - 10**9, 1 * MS)  # of that number, but from before a restart
    line.arrive(99, line.now_ns, 1 * MS)
    assert line.loss() == LossSeen(1, 31)
    assert line.delay_ns() == 5 * MS


def test_what_was_before_a_change_on_purpose_is_forgotten() -> None:
    line = Line()
    line.send(*[5 * MS] * 200, None)
    sent_ns = line.now_ns
    line.probes.forget("a-b")
    line.arrive(line.number, sent_ns, 5 * MS)  # it was under way
    assert line.seen() == Seen(None, None, None)
    line.send(*[9 * MS] * 30)
    assert line.seen() == Seen(9 * MS, None, LossSeen(0, 30))


@given(st.lists(st.one_of(st.none(), st.integers(0, 50 * MS)), max_size=WINDOW), st.randoms())
@settings(max_examples=50, deadline=None)
def test_every_probe_is_counted_once_in_whatever_order_answers_come(
    delays: list[int | None], chance: random.Random
) -> None:
    line = Line("backward")
    line.send(*[None] * len(delays))
    start_ns = line.now_ns - len(delays) * INTERVAL_NS
    answers = [
        (number, start_ns + number * INTERVAL_NS, delay)
        for number, delay in enumerate(delays, start=1)
        if delay is not None
    ]
    answers += chance.sample(answers, len(answers) // 3)
    chance.shuffle(answers)
    for answer in answers:
        line.arrive(*answer)
    if len(delays) >= 20:
        assert line.loss() == LossSeen(delays.count(None), len(delays))


@pytest.mark.parametrize("trials", [1, 7, 600])
@pytest.mark.parametrize("probability", [0.0, 1e-3, 0.02, 0.5, 0.99, 1.0])
def test_binomial_probabilities_are_those_of_scipy(trials: int, probability: float) -> None:
    for count in {0, 1, 3, trials // 2, trials} & set(range(trials + 1)):
        below, above = (
            binom.cdf(count, trials, probability),
            binom.sf(count - 1, trials, probability),
        )
        assert binomial(0, count, trials, probability) == pytest.approx(below, rel=1e-9)
        assert binomial(count, trials, trials, probability) == pytest.approx(above, rel=1e-9)


@given(st.integers(1, 600).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
@settings(max_examples=60, deadline=None)
def test_the_interval_is_that_of_clopper_and_pearson(counts: tuple[int, int]) -> None:
    lost, of = counts
    low, high = LossSeen(lost, of).interval
    assert low == pytest.approx(beta.ppf(0.025, lost, of - lost + 1) if lost else 0, abs=1e-9)
    assert high == pytest.approx(beta.ppf(0.975, lost + 1, of - lost) if lost < of else 1, abs=1e-9)


@pytest.mark.parametrize(
    ("told", "lost", "of", "more", "fewer"),
    [
        (0.0, 0, 600, False, False),
        (0.0, 2, 20, False, False),  # however unlikely: they are only two
        (0.0, 3, 20, True, False),
        (0.0, 4, 600, False, False),  # a full queue does that
        (0.0, 6, 600, True, False),
        (0.01, 6, 600, False, False),
        (0.01, 15, 600, False, False),
        (0.01, 20, 600, True, False),
        (0.01, 0, 600, False, False),
        (0.02, 0, 600, False, True),
        (0.2, 90, 600, False, False),
        (0.2, 70, 600, False, True),
        (0.2, 0, 20, False, False),
        (0.5, 0, 20, False, True),
        (1.0, 600, 600, False, False),
        (1.0, 599, 600, False, True),
        (0.5, 600, 600, True, False),
    ],
)
def test_only_what_chance_forbids_contradicts(
    told: float, lost: int, of: int, more: bool, fewer: bool
) -> None:
    state, seen = LinkState(10**9, 5 * MS, Loss(told)), LossSeen(lost, of)
    assert (more_lost(state, seen), fewer_lost(state, seen)) == (more, fewer)
    expected = Loss(lost / of) if more or fewer else Loss(told)
    assert believed(state, Seen(loss=seen)).loss.good == pytest.approx(expected.good)


@pytest.mark.parametrize("told", [0.0, 1e-3, 0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("of", [20, 100, 588])
def test_a_line_that_is_as_told_is_hardly_ever_contradicted(told: float, of: int) -> None:
    state = LinkState(10**9, 5 * MS, Loss(told))
    mistaken = [
        lost
        for lost in range(of + 1)
        if more_lost(state, LossSeen(lost, of)) or fewer_lost(state, LossSeen(lost, of))
    ]
    assert binom.pmf(mistaken, of, told).sum() <= 2 * CHANCE


def test_losses_in_bursts_surprise_less() -> None:
    alike = LinkState(10**9, 5 * MS, Loss(0.01))
    bursts = LinkState(10**9, 5 * MS, Loss(bad=1.0, enter=0.001, leave=0.099))
    assert bursts.mean_loss == pytest.approx(alike.mean_loss)
    for lost, contradicts in ((25, False), (120, True)):
        assert more_lost(alike, LossSeen(lost, 600))
        assert more_lost(bursts, LossSeen(lost, 600)) is contradicts
    assert not fewer_lost(bursts, LossSeen(0, 600))


def test_a_pattern_is_believed() -> None:
    state = LinkState(10**9, 5 * MS, Loss(pattern="1" * 1000 + "0" * 1000))
    for lost in (0, 600):
        assert believed(state, Seen(loss=LossSeen(lost, 600))) == state


def test_short_probes_meet_fewer_wrong_bits_than_full_frames() -> None:
    told = LinkState(10**9, 5 * MS, Loss(bit_error_rate=3e-6))
    assert told.mean_loss > 0.15
    assert believed(told, Seen(loss=LossSeen(1, 600))) == told
    more = believed(told, Seen(loss=LossSeen(60, 600)))
    assert more.loss.bit_error_rate == told.loss.bit_error_rate
    assert more.loss.of_frames(FRAME_BYTES) == pytest.approx(0.1)
    assert more.mean_loss > told.mean_loss, "more was lost than told, not less"


@given(
    good=st.floats(0, 1),
    exponent=st.floats(-12, -2),
    of=st.integers(20, 600),
    share=st.floats(0, 1),
)
@settings(max_examples=200, deadline=None)
def test_what_is_believed_is_what_probes_saw_and_errs_to_the_side_they_saw(
    good: float, exponent: float, of: int, share: float
) -> None:
    told = LinkState(10**9, 5 * MS, Loss(good, bit_error_rate=10**exponent))
    seen = LossSeen(round(share * of), of)
    state = believed(told, Seen(loss=seen))
    if state == told:
        return
    assert state.loss.of_frames(FRAME_BYTES) == pytest.approx(seen.share, abs=1e-9)
    if more_lost(told, seen):
        assert state.mean_loss >= told.mean_loss - 1e-9
    else:
        assert state.mean_loss <= told.mean_loss + 1e-9


def test_frames_with_a_wrong_bit_are_lost_probes() -> None:
    told = LinkState(10**9, 5 * MS, corrupt=0.1)
    assert believed(told, Seen(loss=LossSeen(60, 600))) == told
    state = believed(told, Seen(loss=LossSeen(0, 600)))
    assert (state.loss, state.corrupt) == (Loss(), 0.0)


@pytest.mark.parametrize(
    ("told_ns", "delay_ns", "settled_ns", "expected_ns"),
    [
        (5 * MS, 5 * MS, 5 * MS, 5 * MS),
        (5 * MS, 7 * MS, 7 * MS, 5 * MS),  # within 2 ms and 5 %
        (5 * MS, 8 * MS, 8 * MS, 8 * MS),
        (5 * MS, 30 * MS, None, 5 * MS),  # perhaps a queue
        (5 * MS, 30 * MS, 6 * MS, 5 * MS),  # a queue: it ran empty in between
        (5 * MS, 30 * MS, 20 * MS, 20 * MS),
        (5 * MS, 1 * MS, None, 1 * MS),  # no queue makes it shorter
        (5 * MS, 3 * MS, 3 * MS, 5 * MS),
        (100 * MS, 106 * MS, 106 * MS, 100 * MS),
        (100 * MS, 108 * MS, 108 * MS, 108 * MS),
        (100 * MS, 94 * MS, None, 100 * MS),
        (100 * MS, 92 * MS, None, 92 * MS),
        (0, 2 * MS, 2 * MS, 0),
        (5 * MS, None, None, 5 * MS),
    ],
)
def test_a_delay_is_believed_where_it_differs_for_certain(
    told_ns: int, delay_ns: int | None, settled_ns: int | None, expected_ns: int
) -> None:
    told = LinkState(10**9, told_ns)
    state = believed(told, Seen(delay_ns, settled_ns))
    assert state == replace(told, delay_ns=expected_ns)


def test_jitter_slow_lines_and_reordering_widen_what_a_delay_may_be() -> None:
    seen = Seen(20 * MS, 20 * MS)
    assert believed(LinkState(10**9, 30 * MS), seen).delay_ns == 20 * MS
    for told in (
        LinkState(10**9, 30 * MS, jitter=Jitter(3 * MS)),
        LinkState(10**9, 30 * MS, reorder=0.1),
        LinkState(50_000, 10 * MS),  # a probe takes 12 ms
    ):
        assert believed(told, seen) == told


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        (6, 0.01),  # would be believed anew
        (9, 0.01),
        (4, 0.01),  # could be as told, but is nearer to what is believed
        (2, 0.0),
        (0, 0.0),
        (30, 0.05),  # contradicts both
    ],
)
def test_a_loss_once_believed_stays_until_probes_say_otherwise(lost: int, expected: float) -> None:
    told = LinkState(10**9, 5 * MS)
    before = replace(told, loss=Loss(0.01))
    found = believed(told, Seen(loss=LossSeen(lost, 600)), before)
    assert found.loss.good == pytest.approx(expected)
    assert believed(told, Seen(loss=LossSeen(lost, 600)), told) == believed(
        told, Seen(loss=LossSeen(lost, 600))
    )


@pytest.mark.parametrize(
    ("delay_ns", "settled_ns", "expected_ns"),
    [
        (10 * MS, 10 * MS, 10 * MS),
        (11 * MS, 11 * MS, 10 * MS),
        (8 * MS, 8 * MS, 10 * MS),
        (7 * MS, 7 * MS, 5 * MS),
        (5 * MS, 5 * MS, 5 * MS),
        (14 * MS, 14 * MS, 14 * MS),
        (1 * MS, 1 * MS, 1 * MS),
    ],
)
def test_a_delay_once_believed_stays_until_probes_say_otherwise(
    delay_ns: int, settled_ns: int, expected_ns: int
) -> None:
    told = LinkState(10**9, 5 * MS)
    before = replace(told, delay_ns=10 * MS)
    assert believed(told, Seen(delay_ns, settled_ns), before).delay_ns == expected_ns


@given(st.lists(st.integers(0, 20), min_size=2, max_size=30))
@settings(max_examples=100, deadline=None)
def test_a_wavering_loss_changes_what_is_believed_less_often(losses: list[int]) -> None:
    told = LinkState(10**9, 5 * MS)
    anew, steady = [told], [told]
    for lost in losses:
        seen = Seen(loss=LossSeen(lost, 600))
        anew.append(believed(told, seen))
        steady.append(believed(told, seen, steady[-1]))
    changes = [sum(a != b for a, b in itertools.pairwise(states)) for states in (anew, steady)]
    assert changes[1] <= changes[0]


def test_a_span_that_was_told_to_be_down_stays_down() -> None:
    told = LinkState(10**9, 5 * MS, up=False)
    assert believed(told, Seen(50 * MS, 50 * MS, LossSeen(600, 600))) == told


def test_the_rest_of_the_state_stays() -> None:
    told = LinkState(10**9, 5 * MS, Loss(0.1), mtu=1500, queue_packets=100, duplicate=0.01)
    seen = Seen(1 * MS, 1 * MS, LossSeen(0, 600))
    assert believed(told, seen) == replace(told, delay_ns=1 * MS, loss=Loss())
