"""What interruptions cost: training's goodput, and what each loss or move of ranks took. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from experiments.coherence import SystemStep
from experiments.rests import Rest, rested_ns
from experiments.session import LegRun


def goodput(steps: Sequence[SystemStep], rests: Sequence[Rest] = ()) -> float | None:
    """Return the share of the time of training that went into steps that count.

    The rest went into noticing losses, restarting, sending state, writing checkpoints, starting
    another strategy, and training again what a loss had undone. Pauses are no time of training.
    """
    if not steps:
        return None
    useful_ns, until_ns = 0, steps[0].start_ns
    for step in steps:  # of which one may begin on some ranks before others have ended the last
        begin_ns = max(step.start_ns, until_ns)
        useful_ns += step.end_ns - begin_ns - rested_ns(rests, begin_ns, step.end_ns)
        until_ns = step.end_ns
    begin_ns, end_ns = steps[0].start_ns, steps[-1].end_ns
    return round(useful_ns / (end_ns - begin_ns - rested_ns(rests, begin_ns, end_ns)), 4)


def interruptions(
    legs: Sequence[LegRun],
    steps: Sequence[SystemStep],
    origin_ns: int,
    rests: Sequence[Rest] = (),
) -> list[dict[str, Any]]:
    """Return what came between one leg and the next, each time.

    Of each, ``t_s`` is when the last step before it ended, ``recovery_s`` from then to the end of
    the first step that had not been trained before, ``lost_steps`` those that were trained again,
    ``state_bytes`` what ranks were sent to go on from, and ``span_bytes`` what crossed spans
    meanwhile, headers and repeats included.
    """
    found = []
    for before, after in pairwise(legs):
        earlier = [step for step in steps if step.end_ns <= after.begin_ns]
        later = [step for step in steps if step.end_ns > after.begin_ns]
        last_ns = earlier[-1].end_ns if earlier else before.begin_ns
        next_step = earlier[-1].step + 1 if earlier else 0
        found.append(
            {
                "t_s": round((last_ns - origin_ns) / 1e9, 6),
                "step": next_step,
                "cause": before.fault or "planned",
                "workers": len(after.members),
                "from_step": after.first_step,
                "lost_steps": max(0, next_step - after.first_step),
                "state_bytes": after.state_bytes,
                "span_bytes": _between(before, after),
                "recovery_s": _passed_s(last_ns, later[0].end_ns, rests) if later else None,
            }
        )
    return found


def _passed_s(begin_ns: int, end_ns: int, rests: Sequence[Rest]) -> float:
    return round((end_ns - begin_ns - rested_ns(rests, begin_ns, end_ns)) / 1e9, 3)


def _between(before: LegRun, after: LegRun) -> int:
    """Return what all spans delivered from the end of one leg to the beginning of the next."""
    assert before.ended, "another one followed"
    return sum(
        now.delivered_bytes - then.delivered_bytes
        for span, ways in after.begun.items()
        for then, now in zip(before.ended[span], ways, strict=True)
    )
