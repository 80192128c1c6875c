"""What goes over the control channel, as models: its OpenAPI document is made from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from controller.routes import Demand
from topologies.linkstate import Jitter, LinkState, Loss

Nanoseconds = Annotated[int, Field(ge=0, strict=True)]
BitsPerSecond = Annotated[int, Field(gt=0, strict=True)]
Share = Annotated[float, Field(ge=0, le=1)]


def _kind(loss: object) -> str:
    return "(cause)" if isinstance(loss, (dict, Loss)) else "(share)"


AnyLoss = Annotated[
    Annotated[Share, Tag("(share)")] | Annotated[Loss, Tag("(cause)")], Discriminator(_kind)
]
"""Told apart before they are looked at, so that an error is about the one that is meant."""


def place(location: Sequence[int | str]) -> str:
    """Return the path of what a model complains of."""
    return ".".join(str(part) for part in location if not str(part).startswith("("))


class Message(BaseModel):
    """Frozen; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LinkChange(Message):
    """What changes of a span's state; what is left out stays. Of two directions, the worse.

    Null is as if it was left out, but of jitter: there it is none.
    """

    delay_ns: Nanoseconds | None = Field(default=None, description="one way")
    rate_bps: BitsPerSecond | None = Field(default=None, description="on the wire")
    loss: AnyLoss | None = Field(default=None, description="of frames, or what causes it")
    jitter: Jitter | None = None
    corrupt: Share | None = None
    reorder: Share | None = None
    mtu: int | None = Field(default=None, gt=0)
    up: bool | None = Field(default=None, strict=True)

    @staticmethod
    def of(state: LinkState) -> LinkChange:
        """Return all that is told of a link state."""
        return LinkChange(**{name: getattr(state, name) for name in LinkChange.model_fields})

    def applied(self, state: LinkState) -> LinkState:
        """Return the state that follows; raises NetworkError."""
        told = {name: getattr(self, name) for name in self.model_fields_set}
        stated = {name: it for name, it in told.items() if it is not None or name == "jitter"}
        if isinstance(self.loss, float):
            stated["loss"] = Loss(self.loss)
        return replace(state, **stated)


class Link(LinkChange):
    """The state of a span; what is left out is as in a link without impairments."""

    delay_ns: Nanoseconds
    rate_bps: BitsPerSecond

    def state(self) -> LinkState:
        """Return the link state; raises NetworkError."""
        return self.applied(LinkState(rate_bps=self.rate_bps, delay_ns=self.delay_ns))


class LinkReport(Message):
    """A span's state in short."""

    delay_ns: int
    rate_bps: int
    loss: float = Field(description="of full frames")
    up: bool

    @staticmethod
    def of(state: LinkState) -> LinkReport:
        """Return a link state in short."""
        return LinkReport(
            delay_ns=state.delay_ns, rate_bps=state.rate_bps, loss=state.mean_loss, up=state.up
        )


class PolicyChange(Message):
    """The policy to route by, and the demands it may plan for; without them they stay."""

    policy: str
    demands: tuple[Demand, ...] | None = None


class Probing(Message):
    """Whether cables are probed."""

    on: bool = Field(strict=True)


class Clock(Message):
    """What time it is for the controller, by CLOCK_MONOTONIC."""

    now_ns: int


class Changed(Message):
    """What a request led to.

    Attributes:
        version: the configuration in force.
        entries: how many entries of switches were made or removed for it.
    """

    version: int
    entries: int


class Switches(Message):
    """How many switches there are, have all their entries, and which do not."""

    expected: int
    ready: int
    missing: tuple[str, ...]


class Health(Message):
    """How the controller is.

    Attributes:
        ready: whether every switch has its entries and the policy's are in force.
        version: the configuration in force; 0 before the first.
        in_force_ns: since when, by CLOCK_MONOTONIC; 0 if since before the controller was started.
        retiring: whether entries of an older version are still to be removed.
        error: what went wrong last and still holds, if anything.
        cut_off: pairs of campuses between which there is no way.
        miswired: ports that lead elsewhere than they should.
        unseen: cables that nothing was heard over, though both their ports are live.
        foreign: the last rules that somebody else made, changed or removed.
        foreign_changes: how often somebody did, since this controller was started.
    """

    ready: bool
    switches: Switches
    policy: str
    version: int
    in_force_ns: int
    retiring: bool
    error: str | None
    cut_off: tuple[tuple[str, str], ...]
    drained: tuple[str, ...]
    miswired: tuple[str, ...]
    unseen: tuple[str, ...]
    foreign: tuple[str, ...]
    foreign_changes: int


class Measured(Message):
    """What probes say of one direction of a span; null where too few came back."""

    delay_ns: int | None
    loss: float | None
    loss_interval: tuple[float, float] | None
    probes: int


class SpanReport(Message):
    """A span as the controller sees it.

    Attributes:
        told: its state as told.
        used: its state as policies are given it.
        live: whether both its ports are live.
        forward, backward: what probes measured.
        bps: what crosses it each way, at its last counting.
    """

    told: LinkReport
    used: LinkReport
    live: bool
    drained: bool
    forward: Measured
    backward: Measured
    bps: tuple[float, float]


class PortRate(Message):
    """What passes a port, over the last second or so."""

    switch: str
    port: int
    leads_to: str
    rx_bps: float
    tx_bps: float
    drops_per_s: float = Field(description="packets dropped or damaged")


class FlowRate(Message):
    """What a campus sends to a worker, over the last second or so."""

    source: str
    target: str
    bps: float


class Traffic(Message):
    """Rates of ports and flows, counted by the switches once a second."""

    ports: tuple[PortRate, ...]
    flows: tuple[FlowRate, ...]


Crossed = dict[str, tuple[float, float]]
"""By span, the share of the flows between two workers that cross it forward, and backward."""


class Way(Message):
    """A way that packets take, and the share of the flows that take it."""

    nodes: tuple[str, ...]
    ports: tuple[tuple[str, int], ...] = Field(description="those it leaves the switches by")
    outcome: Literal["delivered", "dropped", "loop"]
    share: float


class Fault(Message):
    """The answer to a request that cannot be met."""

    error: str
    field: str | None = None
