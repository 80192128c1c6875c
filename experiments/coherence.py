"""From step records to coherence: the pure arithmetic of the result.

A step of the whole system ends when its last rank ends it, and lasts from the end of the step
before. It belongs to the phase in which all its communication lay; a step during which a span
changed belongs to none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from experiments.legs import counted
from experiments.rests import Rest, rested_ns

COHERENT, DEGRADED = 0.95, 0.5
"""Published cross-site systems reach 0.95 to 0.99 of one site's throughput."""
WARM_UP_STEPS = 2
"""First steps of a rank, in which buckets are laid out: what they compute is not checked."""
RECOVERED = 1.1
"""A step has recovered when it is within this factor of its phase's median."""

Class = Literal["coherent", "degraded", "incoherent"]


@dataclass(frozen=True)
class SystemStep:
    """One step of all ranks: its number, times in ns, and whether replicas agreed before it.

    Attributes:
        compared: whether ranks told what they agree on; those that train alone need not always.
        identical: whether all told the same.
        divergence: how far ranks were found from their mean (root mean square), or None.
        skew_ns: from when the first rank had computed to when the last had.
        staleness: gradients of others that the server took while one was computed, the mean over
            ranks, or None where there is no server.
        latencies_us: of every request that was answered in it, where ranks serve.
        ranks: that trained in it.
        loss: mean of the ranks' that know theirs, each on data that it had not seen, or None.
    """

    step: int
    start_ns: int
    first_communication_ns: int
    end_ns: int
    duration_ns: int
    exposed_communication_ns: float
    identical: bool
    compared: bool = True
    divergence: float | None = None
    skew_ns: int = 0
    staleness: float | None = None
    latencies_us: tuple[int, ...] = ()
    loss: float | None = None
    ranks: int = 0


@dataclass(frozen=True)
class PhasePlan:
    """A phase as it was run: its name, and when the change that began it was in force.

    ``reference`` says that later phases are compared with it, as they are with the first one;
    ``change_ns`` is when the change began to be made, where that is known: what trained from then
    until it was in force belongs to no phase.
    """

    name: str
    begin_ns: int
    reference: bool = False
    change_ns: int | None = None


NamedSteps = tuple[str, Sequence[SystemStep]]
"""A phase's name, and its steps."""


def system_steps(
    records: Sequence[dict[str, Any]],
    ranks: int | Sequence[int],
    since_ns: Sequence[int] = (),
) -> list[SystemStep]:
    """Combine the ranks' records; steps that some rank did not finish are left out.

    ``ranks`` is how many there are, in each leg where there are several. See `legs.counted`. A step
    lasts from the last of ``since_ns`` before it, where that is later than the end of the step
    before: from the end of a pause, say.
    """
    by_step: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for record in counted(records, [ranks] if isinstance(ranks, int) else ranks):
        by_step[record["step"]].append(record)
    steps: list[SystemStep] = []
    for number in sorted(by_step):
        group = by_step[number]
        start_ns = min(record["start_ns"] for record in group)
        end_ns = max(record["end_ns"] for record in group)
        computed_ns = [record["computed_ns"] for record in group]
        before_ns = steps[-1].end_ns if steps else start_ns
        before_ns = max([before_ns, *(it for it in since_ns if it < end_ns)])
        steps.append(
            SystemStep(
                step=number,
                start_ns=start_ns,
                first_communication_ns=min(record["first_communication_ns"] for record in group),
                end_ns=end_ns,
                duration_ns=end_ns - before_ns,
                exposed_communication_ns=float(
                    np.mean([record["exposed_communication_ns"] for record in group])
                ),
                identical=_identical(group),
                compared=all(record["hash"] for record in group),
                divergence=_root_mean_square([it.get("divergence") for it in group]),
                skew_ns=max(computed_ns) - min(computed_ns),
                latencies_us=tuple(
                    latency for it in group for latency in it.get("latencies_us", ())
                ),
                staleness=_mean([it["staleness"] for it in group if "staleness" in it]),
                ranks=len(group),
                loss=_mean([it["loss"] for it in group if it["loss"] is not None]),
            )
        )
    return steps


def differing_steps(steps: Sequence[SystemStep], *, synchronous: bool) -> int:
    """Return before how many steps ranks did not hold alike what they must.

    Under a synchronous strategy that is every parameter, and saying nothing of it is no excuse.
    """
    return sum(not step.identical or (synchronous and not step.compared) for step in steps)


def steps_of_phases(
    steps: Sequence[SystemStep], phases: Sequence[PhasePlan]
) -> list[list[SystemStep]]:
    """Sort steps into phases by when they communicated; straddling steps go nowhere."""
    ends = [phase.begin_ns if phase.change_ns is None else phase.change_ns for phase in phases]
    ends = [*ends[1:], 2**63][: len(phases)]
    return [
        [
            step
            for step in steps
            if phase.begin_ns <= step.first_communication_ns and step.end_ns <= end_ns
        ]
        for phase, end_ns in zip(phases, ends, strict=True)
    ]


def step_ms(steps: Sequence[SystemStep]) -> dict[str, float]:
    """Return the median and the 99th percentile of step durations in ms."""
    durations = [step.duration_ns / 1e6 for step in steps]
    p50, p99 = np.percentile(durations, [50, 99])
    return {"p50": round(float(p50), 2), "p99": round(float(p99), 2)}


def steps_per_s(steps: Sequence[SystemStep]) -> float:
    """Return the throughput over all the given steps."""
    return len(steps) / (sum(step.duration_ns for step in steps) / 1e9)


def classify(coherence: float, largest_campus_share: float) -> Class:
    """Name a coherence; one below the largest campus's share of the workers is incoherent.

    The largest campus alone would then do more work per second than all campuses together.
    """
    if coherence < max(DEGRADED, largest_campus_share):
        return "incoherent"
    return "coherent" if coherence >= COHERENT else "degraded"


def in_digits(coherence: float) -> str:
    """Return a coherence in two digits, or in the few more that keep it on its side of a class."""
    for digits in (2, 3):
        text = f"{coherence:.{digits}f}"
        if all((float(text) >= bound) == (coherence >= bound) for bound in (COHERENT, DEGRADED)):
            return text
    return f"{coherence:.4f}"


def recovery_s(
    phase: Sequence[SystemStep], begin_ns: int, rests: Sequence[Rest] = ()
) -> float | None:
    """Return the time from a change to the end of the first step at the phase's pace.

    Pauses do not count.
    """
    if not phase:
        return None
    usual_ns = float(np.median([step.duration_ns for step in phase]))
    for step in phase:
        if step.duration_ns <= RECOVERED * usual_ns:
            return (step.end_ns - begin_ns - rested_ns(rests, begin_ns, step.end_ns)) / 1e9
    return None


def _identical(records: Sequence[dict[str, Any]]) -> bool:
    """Say whether all ranks told the same, or all among whom the strategy shares parameters out."""
    told: dict[str, set[str | None]] = defaultdict(set)
    for record in records:
        told[record.get("among", "")].add(record["hash"])
    return all(len(hashes) == 1 for hashes in told.values())


def _root_mean_square(found: Sequence[float | None]) -> float | None:
    values = [value for value in found if value is not None]
    return float(np.sqrt(np.mean(np.square(values)))) if values else None


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
