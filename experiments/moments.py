"""When events may happen: in order, and not while a reference is measured. Pure.

Several may happen before the same step, in the order of the file. While a reference is measured
every span is as good as a campus, so that nothing but a pause may come between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiments.timeline import TimelineEvent


def references(timeline: Sequence[TimelineEvent], reference_steps: int) -> Iterator[range]:
    """Yield the steps of each reference: the first ones, and those after each new strategy."""
    yield range(reference_steps)
    for event in timeline:
        if event.strategy is not None:
            yield range(event.at, event.at + reference_steps)


def check_moments(timeline: Sequence[TimelineEvent], reference_steps: int, steps: int) -> None:
    """Raise ValueError, located, for an event out of order, in a reference, or after the end."""
    before, measured = 0, reference_steps
    for index, event in enumerate(timeline):
        where = f"timeline.{index}"
        if event.at < before:
            raise ValueError(
                f"{where}.at: step {event.at} must not come after step {before}, which the event "
                "above it has: they stand in the order in which they happen"
            )
        after = 0 if event.pause is not None else measured
        if not after < event.at < steps:
            raise ValueError(
                f"{where}.at: step {event.at} must lie after step {after} "
                f"and before step {steps}, the end"
            )
        before = event.at
        if event.strategy is not None:
            measured = event.at + reference_steps
            if measured >= steps:
                raise ValueError(
                    f"{where}.strategy: the reference of {event.strategy.name} takes the steps "
                    f"from {event.at} to {measured - 1}, after which there must be one more; the "
                    f"run ends before step {steps}: make workload.steps {measured + 1} or more"
                )


def soonest(
    timeline: Sequence[TimelineEvent], reference_steps: int, step: int, *, pauses: bool = False
) -> int:
    """Return the first step, from one on, before which another event may come.

    It follows those that the timeline has before that step; ``pauses`` says that it is a pause.
    """
    if pauses:
        return max(1, step)
    for measured in references(timeline, reference_steps):
        if measured.start <= step <= measured.stop:
            step = measured.stop + 1
    return step
