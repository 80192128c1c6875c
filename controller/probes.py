"""What probes say of the spans, and which of what was told they contradict. Pure.

A probe is a frame of `controller.lldp` sent over a span about five times a second. Its delay holds
what the controller and two switches cost; frames over the cables of a fabric cost that and next to
nothing else, and so it is taken off.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from controller.lldp import FRAME_BYTES
from topologies.linkstate import LinkState, Loss

Direction = Literal["forward", "backward"]
"""Forward is from a span's first campus to its second."""

WINDOW = 600
"""Probes of each direction that are remembered, answered or not: two minutes of them."""
RECENT = 30
"""Answers that a delay is the least of."""
SETTLED = 100
"""Answers that a delay above the told one must have lasted for: a queue can stand for seconds."""
BASELINE = 100
"""Frames over fabric cables that are remembered."""
ENOUGH_ANSWERS, ENOUGH_PROBES = 10, 20
"""With fewer, nothing is said of a delay, or of a loss."""
GRACE_NS = 10**9
"""A probe is lost only after this, and twice what recent ones took at most."""

CHANCE = 1e-4
"""What has a lower probability under the told loss contradicts it."""
ENOUGH_LOST = 3
LOSS_FLOOR = 1e-3
"""A full queue of ordinary TCP loses about as much: below, it cannot be told from the line."""
DELAY_SHARE = 0.05
DELAY_SLACK_NS = 2_000_000
"""By how much a delay may differ: what a busy machine adds to one path and not to another."""
JITTER_DEVIATIONS = 4


@dataclass(frozen=True)
class LossSeen:
    """Probes lost, of those that are answered or overdue."""

    lost: int
    of: int

    @property
    def share(self) -> float:
        """The share of probes that were lost."""
        return self.lost / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95 % interval of the loss (Clopper and Pearson, Biometrika 26, 1934)."""
        return _interval(self.lost, self.of)


@dataclass(frozen=True)
class Seen:
    """What probes say of one direction of a span; None: too few were answered, or sent.

    Attributes:
        delay_ns: the least of recent answers.
        settled_ns: the least of more of them, over which a queue will have run empty.
        loss: of frames of `FRAME_BYTES`.
    """

    delay_ns: int | None = None
    settled_ns: int | None = None
    loss: LossSeen | None = None


class _Way:
    """The probes of one direction of a span."""

    def __init__(self) -> None:
        self.sent_ns: dict[int, int] = {}  # by number, oldest first
        self.answered: set[int] = set()
        self.took_ns: deque[int] = deque(maxlen=SETTLED)

    def sent(self, number: int, now_ns: int) -> None:
        self._drop(number)
        self.sent_ns[number] = now_ns
        if len(self.sent_ns) > WINDOW:
            self._drop(next(iter(self.sent_ns)))

    def received(self, number: int, sent_ns: int, now_ns: int) -> None:
        if self.sent_ns.get(number) == sent_ns and number not in self.answered:
            self.answered.add(number)
            self.took_ns.append(now_ns - sent_ns)

    def recent_ns(self) -> list[int]:
        return list(self.took_ns)[-RECENT:]

    def loss(self, now_ns: int) -> LossSeen | None:
        # Those sent since are left out even where they are answered: else they would count for
        # more than their unanswered neighbours, of which nothing is known yet.
        until_ns = now_ns - GRACE_NS - 2 * max(self.recent_ns(), default=0)
        due = [number for number, sent_ns in self.sent_ns.items() if sent_ns <= until_ns]
        lost = sum(number not in self.answered for number in due)
        return LossSeen(lost, len(due)) if len(due) >= ENOUGH_PROBES else None

    def _drop(self, number: int) -> None:
        self.sent_ns.pop(number, None)
        self.answered.discard(number)


class SpanProbes:
    """Probes of all spans, each direction for itself. Times are of one monotonic clock."""

    def __init__(self) -> None:
        """Begin without any."""
        self._ways: defaultdict[tuple[str, Direction], _Way] = defaultdict(_Way)
        self._baseline_ns: deque[int] = deque(maxlen=BASELINE)

    def sent(self, span: str, direction: Direction, number: int, now_ns: int) -> None:
        """Take note that a probe was sent; its frame carries this number and this time."""
        self._ways[span, direction].sent(number, now_ns)

    def received(
        self, span: str, direction: Direction, number: int, sent_ns: int, now_ns: int
    ) -> None:
        """Take note that a probe arrived; a second copy, or one not known to be sent, is ignored.

        One that was given up for lost counts as answered after all.
        """
        self._ways[span, direction].received(number, sent_ns, now_ns)

    def baseline(self, sent_ns: int, now_ns: int) -> None:
        """Take note that a frame arrived over a cable of a fabric."""
        self._baseline_ns.append(now_ns - sent_ns)

    def forget(self, span: str) -> None:
        """Forget a span's probes, whose state was changed on purpose; those under way too."""
        self._ways.pop((span, "forward"), None)
        self._ways.pop((span, "backward"), None)

    def delay_ns(self, span: str, direction: Direction) -> int | None:
        """Return the least that recent probes took, without what the controller and switches cost.

        None before enough of them, and enough frames over fabric cables, have arrived.
        """
        return self._beyond_baseline(self._ways[span, direction].recent_ns(), ENOUGH_ANSWERS)

    def loss(self, span: str, direction: Direction, now_ns: int) -> LossSeen | None:
        """Return how many of the remembered probes were lost, None before enough are overdue."""
        return self._ways[span, direction].loss(now_ns)

    def seen(self, span: str, direction: Direction, now_ns: int) -> Seen:
        """Return all that probes say of one direction of a span."""
        settled_ns = self._beyond_baseline(list(self._ways[span, direction].took_ns), SETTLED)
        loss = self.loss(span, direction, now_ns)
        return Seen(self.delay_ns(span, direction), settled_ns, loss)

    def _beyond_baseline(self, took_ns: list[int], enough: int) -> int | None:
        if len(took_ns) < enough or len(self._baseline_ns) < ENOUGH_ANSWERS:
            return None
        return max(0, min(took_ns) - min(self._baseline_ns))


def believed(told: LinkState, seen: Seen, before: LinkState | None = None) -> LinkState:
    """Return the told state of one direction with what its probes contradict replaced.

    What was believed ``before`` stays while probes do not contradict it and are nearer to it than
    to what was told: routes shall not change with every probe. A link that was told to be down
    stays as told: no probe says that it may be used.
    """
    if not told.up:
        return told
    before = before or told
    state = told
    if _keeps_delay(told, seen, before):
        state = replace(state, delay_ns=before.delay_ns)
    elif (delay_ns := _contradicting_delay(told, seen)) is not None:
        state = replace(state, delay_ns=delay_ns)
    if seen.loss and _keeps_loss(told, seen.loss, before):
        state = replace(state, loss=before.loss, corrupt=before.corrupt)
    elif seen.loss and _contradict_loss(told, seen.loss):
        # Probes with a wrong bit are dropped, and so are among the lost ones.
        state = replace(state, loss=_loss_as_seen(told.loss, seen.loss.share), corrupt=0.0)
    return state


def _keeps_delay(told: LinkState, seen: Seen, before: LinkState) -> bool:
    if seen.delay_ns is None or before.delay_ns == told.delay_ns:
        return False
    nearer = abs(seen.delay_ns - before.delay_ns) < abs(seen.delay_ns - told.delay_ns)
    return nearer and _contradicting_delay(before, seen) is None


def _keeps_loss(told: LinkState, seen: LossSeen, before: LinkState) -> bool:
    if (before.loss, before.corrupt) == (told.loss, told.corrupt):
        return False
    nearer = abs(seen.share - _expected(before)) < abs(seen.share - _expected(told))
    return nearer and not _contradict_loss(before, seen)


def _contradicting_delay(told: LinkState, seen: Seen) -> int | None:
    """Return the delay to be believed instead of the told one, if any.

    A queue only adds: a shorter delay is believed at once, a longer one once it has settled.
    """
    if told.reorder:
        return None  # frames that skip the delay are the first to arrive
    tolerance_ns = DELAY_SHARE * told.delay_ns + DELAY_SLACK_NS
    tolerance_ns += 8 * FRAME_BYTES * 10**9 / told.rate_bps  # a probe's own time on the wire
    if told.jitter:
        tolerance_ns += JITTER_DEVIATIONS * told.jitter.deviation_ns
    if seen.delay_ns is not None and seen.delay_ns < told.delay_ns - tolerance_ns:
        return seen.delay_ns
    if seen.settled_ns is not None and seen.settled_ns > told.delay_ns + tolerance_ns:
        return seen.settled_ns
    return None


def _contradict_loss(told: LinkState, seen: LossSeen) -> bool:
    return more_lost(told, seen) or fewer_lost(told, seen)


def more_lost(told: LinkState, seen: LossSeen) -> bool:
    """Return whether more probes were lost than the told loss, or a full queue, lets expect."""
    if told.loss.pattern or seen.lost < ENOUGH_LOST:
        return False  # of a pattern, a window of probes may meet any part
    bursts = told.loss.clustering
    expected = max(_expected(told), LOSS_FLOOR)
    lost, of = int(seen.lost / bursts), int(seen.of / bursts)
    return binomial(lost, of, of, expected) < CHANCE


def fewer_lost(told: LinkState, seen: LossSeen) -> bool:
    """Return whether fewer probes were lost than the told loss lets expect."""
    if told.loss.pattern:
        return False
    bursts = told.loss.clustering
    lost, of = math.ceil(seen.lost / bursts), int(seen.of / bursts)
    return binomial(0, lost, of, _expected(told)) < CHANCE


def _expected(told: LinkState) -> float:
    """Return the share of probes that are lost where a state is as told.

    They are short: where bits go wrong, far fewer of them are lost than of full frames.
    """
    return 1 - (1 - told.loss.of_frames(FRAME_BYTES)) * (1 - told.corrupt)


def _loss_as_seen(told: Loss, share: float) -> Loss:
    """Return a loss of which probes lose this share.

    Bit errors stay as told as far as they explain it, and the rest meets all frames alike.
    """
    bits = 8 * FRAME_BYTES
    alone = 1.0 if share == 1 else -math.expm1(math.log1p(-share) / bits)
    bit_error_rate = min(told.bit_error_rate, alone)
    kept = (1 - bit_error_rate) ** bits
    good = max(0.0, 1 - (1 - share) / kept) if kept else 0.0
    return Loss(good, bit_error_rate=bit_error_rate)


def binomial(low: int, high: int, trials: int, probability: float) -> float:
    """Return P[low <= Binomial(trials, probability) <= high], summed in logarithms."""
    if probability in (0.0, 1.0):
        return float(low <= trials * probability <= high)
    success, failure = math.log(probability), math.log1p(-probability)
    ways = math.lgamma(trials + 1)
    terms = (
        ways
        - math.lgamma(count + 1)
        - math.lgamma(trials - count + 1)
        + count * success
        + (trials - count) * failure
        for count in range(max(low, 0), min(high, trials) + 1)
    )
    return min(1.0, math.fsum(map(math.exp, terms)))


@lru_cache(maxsize=256)
def _interval(lost: int, of: int) -> tuple[float, float]:
    outside = (1 - 0.95) / 2
    low = _where_at_most(lost - 1, of, 1 - outside) if lost else 0.0
    high = _where_at_most(lost, of, outside) if lost < of else 1.0
    return low, high


def _where_at_most(count: int, trials: int, chance: float) -> float:
    """Return the probability p at which P[Binomial(trials, p) <= count] is a chance."""
    low, high = 0.0, 1.0
    for _ in range(40):  # halves: far finer than any use of it
        middle = (low + high) / 2
        if 2 * count < trials:
            at_most = binomial(0, count, trials, middle)
        else:
            at_most = 1 - binomial(count + 1, trials, trials, middle)
        low, high = (middle, high) if at_most > chance else (low, middle)
    return low
