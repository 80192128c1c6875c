"""The strategy ``streaming-diloco``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workloads.option import Option, Value
from workloads.strategies.diloco import OPTIONS as DILOCO

if TYPE_CHECKING:
    from torch import nn

    from workloads.exchange.replica import Replica
    from workloads.job import Job

SYNCHRONOUS = False
OPTIONS = {
    **DILOCO,
    "fragments": Option(2, "pieces of the parameters, which meet one after the other", least=1),
    "delay": Option(1, "steps that a fragment's exchange may take, beside training"),
    "mixing": Option(0.5, "share of its own that a rank keeps of a fragment", most=1),
}


def refuse(sites: Sequence[str], options: Mapping[str, Value]) -> str | None:
    """Say why fragments cannot meet in turn."""
    every, fragments, delay = options["every"], options["fragments"], options["delay"]
    if fragments > every:
        return f"{fragments} fragments cannot meet in turn every {every} steps"
    if delay >= every:
        return f"a fragment would meet again, after {every} steps, before its delay of {delay}"
    return None


def offsets(every: int, fragments: int) -> list[int]:
    """Return the first step after which each fragment meets; it does so ``every`` steps."""
    return [(number + 1) * every // fragments - 1 for number in range(fragments)]


@contextmanager
def streaming_diloco(
    model: nn.Module,
    job: Job,
    every: int,
    inner_rate: float,
    outer_rate: float,
    outer_momentum: float,
    half: bool,
    fragments: int,
    delay: int,
    mixing: float,
) -> Iterator[Replica]:
    """Train as diloco does, but let one fragment meet at a time, while training goes on."""
    from workloads.exchange.averaging import Local
    from workloads.exchange.streaming import StreamingReplica, Turns

    local = Local(inner_rate, outer_rate, outer_momentum, half)
    turns = Turns(every, offsets(every, fragments), delay)
    yield StreamingReplica(model, local, turns, mixing)
