"""Whether the emulation can be believed: measured against intended, and the verdict. Pure.

Tolerances are derived from what a measurement can resolve, and each check carries its own.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

from experiments.coherence import WARM_UP_STEPS, PhasePlan
from experiments.probing import PINGS, TRAIN_S, RoundTrips, Train, intended_round_trip_ns
from topologies.emulation.impairer import Counters, lateness_quantile_us
from topologies.jitter import quantiles
from topologies.linkstate import Duplex, LinkState

RATE_TOLERANCE = 0.02
"""Of the rate: a train's time stamps are good to a few per cent of its 0.3 s and more."""
RTT_TOLERANCE_NS = 200_000
"""What waking the processes on a round trip varies by, at least; more where an idle span does."""
RTT_TOLERANCE = 0.03
BYTES_TOLERANCE = 0.05
COMPUTE_TOLERANCE = 0.05
WAKING_NS = 1_000_000
"""What a process that shares two cores may wake late by."""
LATENESS_P99_US = 500.0
SMALLEST_FRAME = 54
UNCHECKED_BYTES = 14
SIGMAS = 4.0
"""A correct loss process fails a check once in 16,000."""

Verdict = Literal["faithful", "degraded", "invalid"]


@dataclass(frozen=True)
class Check:
    """One comparison; a failed one makes the run ``degraded`` or, if ``fatal``, ``invalid``."""

    name: str
    subject: str
    intended: float
    measured: float
    tolerance: float
    unit: str
    ok: bool
    fatal: bool = False

    @property
    def reason(self) -> str:
        """Say what is wrong."""
        return (
            f"{self.name} of {self.subject}: {self.measured:.6g} {self.unit} measured, "
            f"{self.intended:.6g} {self.unit} intended (tolerance {self.tolerance:.3g})"
        )


def verdict(checks: list[Check]) -> dict[str, Any]:
    """Return the ``fidelity`` part of a result."""
    failed = [check for check in checks if not check.ok]
    name: Verdict = "faithful"
    if failed:
        name = "invalid" if any(check.fatal for check in failed) else "degraded"
    return {
        "verdict": name,
        "reasons": [check.reason for check in failed],
        "checks": [asdict(check) for check in checks],
    }


def check_delay(when: str, span: str, state: Duplex, floor: RoundTrips, seen: RoundTrips) -> Check:
    """Compare a span's round trip with its delays plus the serialisation of a ping.

    The median of n pings varies by 1.25 deviations / sqrt(n) of the jitter, and lies beside the
    mean by up to the jitter's own median.
    """
    intended = intended_round_trip_ns(state)
    tolerance = max(RTT_TOLERANCE_NS, floor.spread_ns) + RTT_TOLERANCE * intended
    jitters = [way.jitter for way in state.ways if way.jitter]
    deviation_ns = math.hypot(*(jitter.deviation_ns for jitter in jitters))
    tolerance += SIGMAS * 1.25 * deviation_ns / math.sqrt(PINGS - seen.lost)
    tolerance += sum(abs(statistics.median(quantiles(jitter))) for jitter in jitters)
    difference = abs(seen.median_ns - intended)
    return Check(
        name="round trip",
        subject=f"{span} {when}",
        intended=intended / 1e6,
        measured=seen.median_ns / 1e6,
        tolerance=tolerance / 1e6,
        unit="ms",
        ok=difference <= tolerance,
    )


def check_floor(when: str, span: str, state: Duplex, floor: RoundTrips) -> Check:
    """Ask whether the switches alone already take longer than the span should."""
    return Check(
        name="switch path below the span's delay",
        subject=f"{span} {when}",
        intended=state.round_trip_ns / 1e6,
        measured=floor.median_ns / 1e6,
        tolerance=0.0,
        unit="ms",
        ok=floor.median_ns <= 2 * min(way.delay_ns for way in state.ways),
    )


def check_rate(subject: str, state: LinkState, access_bps: int, train: Train) -> Check:
    """Compare the rate a train left at with the span's, or its prober's where that is lower.

    The rate is the median of ten stretches of the train; jitter moves the ends of each.
    """
    intended = min(state.rate_bps, access_bps)
    tolerance = RATE_TOLERANCE
    if state.jitter:
        moved = math.sqrt(2) * state.jitter.deviation_ns / (TRAIN_S * 1e9 / 10)
        tolerance += SIGMAS * moved * 1.25 / math.sqrt(10)
    return Check(
        name="rate",
        subject=subject,
        intended=intended / 1e6,
        measured=train.rate_bps / 1e6,
        tolerance=tolerance * intended / 1e6,
        unit="Mbit/s",
        ok=abs(train.rate_bps - intended) <= tolerance * intended,
    )


def check_loss(
    subject: str, frames: int, lost: int, least: float, most: float, clustering: float = 1.0
) -> Check:
    """Compare the lost among ``frames`` that found room in the queue with a binomial distribution.

    ``least`` and ``most`` bound the probability, ``clustering`` is how much larger the variance is.
    Within 4 sigma, and one frame more since frames are whole; exactly none where none may be lost.
    """
    mean = frames * (least + most) / 2
    tolerance = frames * (most - least) / 2
    if most:
        tolerance += SIGMAS * math.sqrt(frames * most * (1 - most) * clustering) + 1
    return Check(
        name="loss",
        subject=subject,
        intended=mean,
        measured=lost,
        tolerance=tolerance,
        unit=f"of {frames} frames",
        ok=abs(lost - mean) <= tolerance,
    )


def check_train_loss(subject: str, state: LinkState, passed: int, train: Train) -> Check:
    """Compare what a train lost with what the line loses, and with what it makes unreadable.

    A wrong bit goes unseen in the addresses and few other fields that no checksum covers.
    """
    loss = state.loss.of_frames(train.frame_bytes)
    most = 1 - (1 - loss) * (1 - state.corrupt)
    unseen = (most - loss) * UNCHECKED_BYTES / train.frame_bytes
    lost = passed - train.received
    return check_loss(subject, passed, lost, most - unseen, most, state.loss.clustering)


def check_training_loss(
    phases: Sequence[PhasePlan],
    states: Sequence[Mapping[str, Duplex]],
    snapshots: Sequence[Mapping[str, tuple[Counters, Counters]]],
    traces: Mapping[str, Sequence[Duplex]],
) -> list[Check]:
    """Compare what each span lost in each phase of training with its loss in that phase.

    A span that changes by itself may have lost as its best or its worst state in ``traces`` does.
    """
    checks = []
    seen = zip(phases, states, pairwise(snapshots), strict=True)
    for index, (phase, spans, (begun, ended)) in enumerate(seen):
        for span, state in spans.items():
            for way, direction in enumerate(("forward", "backward")):
                before, after = begun[span][way], ended[span][way]
                lost = after.lost - before.lost
                frames = after.delivered - before.delivered + lost
                frames -= after.duplicated - before.duplicated
                later = traces.get(span, ()) if index else ()
                ways = [duplex.ways[way] for duplex in (state, *later)]
                least = min(it.loss.of_frames(SMALLEST_FRAME) for it in ways)
                most = max(it.mean_loss for it in ways)
                clustering = max(it.loss.clustering for it in ways)
                subject = f"{span} {direction}, {phase.name}"
                checks.append(check_loss(subject, frames, lost, least, most, clustering))
    return checks


def check_drops(
    before: Mapping[str, int], after: Mapping[str, int], phase: str = ""
) -> list[Check]:
    """Demand that nothing was dropped outside a modelled queue while training ran, or a phase."""
    places = {place: after[place] - before.get(place, 0) for place in after}
    grown = {place: count for place, count in places.items() if count} or {"the whole lab": 0}
    return [
        Check(
            "unmodelled drops",
            f"{place}, {phase}".rstrip(", "),
            0,
            count,
            0,
            "frames",
            count == 0,
            fatal=True,
        )
        for place, count in grown.items()
    ]


def check_counters(span: str, before: Counters, after: Counters) -> list[Check]:
    """Demand no frame lost by the emulator, and frames not late where lateness is measured."""
    errors = after.errors + after.oversize_drops - before.errors - before.oversize_drops
    checks = [Check("emulator errors", span, 0, errors, 0, "frames", errors == 0, fatal=True)]
    if after.lateness:
        earlier = before.lateness or [0] * len(after.lateness)
        histogram = [a - b for a, b in zip(after.lateness, earlier, strict=True)]
        late_us = lateness_quantile_us(histogram, 0.99)
        ok = late_us <= LATENESS_P99_US
        checks.append(Check("lateness p99", span, 0, late_us, LATENESS_P99_US, "us", ok))
    return checks


def check_cables(miswired: Sequence[str]) -> Check:
    """Demand that discovery found every cable where the graph has it."""
    found = len(miswired)
    subject = "; ".join(miswired) or "all cables"
    return Check("cables in the wrong place", subject, 0, found, 0, "ports", found == 0, True)


def check_restarts(restarts: int) -> Check:
    """Demand that routes always had somebody who would have changed them."""
    name, subject = "died and was started again", "the controller"
    return Check(name, subject, 0, restarts, 0, "times", restarts == 0)


def check_deaths(ranks: Sequence[int]) -> Check:
    """Demand that no rank died but those that an event killed."""
    subject = ", ".join(f"rank {rank}" for rank in ranks) or "all ranks"
    died = len(ranks)
    return Check("died, and nothing said that it should", subject, 0, died, 0, "times", died == 0)


def check_closed(ways_out: Sequence[str]) -> Check:
    """Demand that no packet could have left the network, nor others have come in."""
    found = len(ways_out)
    subject = "; ".join(ways_out) or "the whole lab"
    return Check("ways out of the network", subject, 0, found, 0, "ways", found == 0, True)


def check_arrivals(campus: str, least: float, entered: float) -> Check:
    """Demand that what entered a campus holds what its workers were sent, whatever way it took."""
    tolerance = BYTES_TOLERANCE * least
    return Check(
        name="gradient bytes, at least",
        subject=f"campus {campus}",
        intended=least / 1e6,
        measured=entered / 1e6,
        tolerance=tolerance / 1e6,
        unit="MB",
        ok=entered >= least - tolerance,
        fatal=True,
    )


def check_bytes(span: str, expected: float, moved: float, slack: float = 0.0) -> Check:
    """Compare a span's wire bytes during training with what its all-reduces must move.

    ``slack`` bytes may have gone another way, in steps during which routes changed, or besides the
    gradients.
    """
    tolerance = BYTES_TOLERANCE * expected + slack
    return Check(
        name="gradient bytes",
        subject=span,
        intended=expected / 1e6,
        measured=moved / 1e6,
        tolerance=tolerance / 1e6,
        unit="MB",
        ok=abs(moved - expected) <= tolerance,
        fatal=True,
    )


def check_replicas(differing_steps: int) -> Check:
    """Demand bit-identical parameters on all ranks at every step."""
    return Check(
        "replicas differ", "all ranks", 0, differing_steps, 0, "steps", differing_steps == 0, True
    )


def check_compute(steps: Sequence[Mapping[str, Any]]) -> list[Check]:
    """Demand that ranks computed no longer than declared: of each rank's steps, on average.

    The arithmetic is real and must fit; a rank wakes a little late besides. Steps of no declared
    time promise nothing.
    """
    late: dict[int, tuple[float, float]] = {}
    for step in steps:
        if step["step"] >= WARM_UP_STEPS and step["declared_ns"]:
            late_ns, declared_ns = late.get(step["rank"], (0.0, 0.0))
            late[step["rank"]] = late_ns + step["late_ns"], declared_ns + step["declared_ns"]
    if not late:
        return []
    rank = max(late, key=lambda it: late[it][0] / late[it][1])
    count = sum(it["rank"] == rank and it["step"] >= WARM_UP_STEPS for it in steps)
    late_ns, declared_ns = (total / count for total in late[rank])
    tolerance = COMPUTE_TOLERANCE * declared_ns + WAKING_NS
    return [
        Check(
            name="compute beyond the declared time",
            subject=f"rank {rank}",
            intended=0.0,
            measured=late_ns / 1e6,
            tolerance=tolerance / 1e6,
            unit="ms a step",
            ok=late_ns <= tolerance,
        )
    ]
