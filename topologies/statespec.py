"""What a file may state of one direction of a span, and the link state that makes."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import (
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapSerializer,
    WrapValidator,
    field_validator,
    model_validator,
)

from topologies.files import FileModel
from topologies.linkstate import MAX_PATTERN, Distribution, Jitter, LinkState, Loss, Red
from topologies.units import Duration, Rate, Size

Probability = Annotated[float, Field(ge=0, le=1)]
MIN_MTU, MAX_MTU = 1280, 9000


def _short(key: str, allowed: Any) -> WrapValidator:
    """Take a bare value for a mapping with that one key; errors are located at the value.

    ``allowed`` is the type of both, as the schema has it.
    """

    def expand(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        if not isinstance(value, str | int | float):
            return validate(value)
        try:
            return validate({key: value})
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            raise ValueError(message.removeprefix("Value error, ")) from None

    return WrapValidator(expand, json_schema_input_type=allowed)


def alone(key: str) -> WrapSerializer:
    """Write a mapping that states one key alone as its value, where defaults are left out."""

    def shorten(value: Any, write: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        written = write(value)
        if info.exclude_unset and isinstance(written, dict) and [*written] == [key]:
            return written[key]
        return written

    return WrapSerializer(shorten)


class JitterSpec(FileModel):
    """A random part of the delay; ``jitter: 1 ms`` is short for a normal one."""

    deviation: Duration | None = Field(None, description="standard deviation")
    distribution: Distribution = Field(
        default="normal", description="of the delays around their mean"
    )
    table: list[Duration] | None = Field(
        None, min_length=2, max_length=10_000, description="delays seen, of the distribution table"
    )
    reorder: bool = Field(False, description="whether frames may overtake each other")

    @model_validator(mode="after")
    def _complete(self) -> JitterSpec:
        if (self.distribution == "table") != (self.table is not None):
            raise ValueError('distribution "table" and a table of delays belong together')
        if (self.table is None) == (self.deviation is None):
            raise ValueError("needs a deviation, or a table of delays which has its own")
        if self.table and len(set(self.table)) == 1:
            raise ValueError("table holds one delay only, so there is no jitter")
        return self

    def state(self) -> Jitter | None:
        """Return what this states; None where that is no jitter."""
        if self.table:
            return Jitter.from_table(tuple(self.table), self.reorder)
        assert self.deviation is not None, "checked when read"
        if not self.deviation:
            return None
        return Jitter(self.deviation, self.distribution, reorder=self.reorder)


class GilbertElliottSpec(FileModel):
    """Losses in bursts: a channel that is good or bad, and turns with every frame."""

    enter: Probability = Field(description="probability, per frame, of turning bad")
    leave: Probability = Field(gt=0, description="probability, per frame, of turning good")
    bad: Probability = Field(1.0, description="loss of frames while bad")
    good: Probability = Field(0.0, description="loss of frames while good")


class LossSpec(FileModel):
    """Which frames the line loses; ``loss: 0.001`` is short for ``{frames: 0.001}``."""

    frames: Probability | None = Field(None, description="of every frame, alike (Bernoulli)")
    gilbert_elliott: GilbertElliottSpec | None = Field(default=None, description="losses in bursts")
    bit_error_rate: Probability = Field(
        default=0.0, description="of the line: longer frames lose more"
    )
    pattern: str = Field(
        "", pattern="^[01]*$", max_length=MAX_PATTERN, description='frame by frame, "1" is lost'
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> LossSpec:
        if self.frames is not None and self.gilbert_elliott:
            raise ValueError("states both frames and gilbert_elliott; its good is what frames says")
        return self

    def state(self) -> Loss:
        """Return what this states."""
        channel = self.gilbert_elliott.model_dump() if self.gilbert_elliott else {}
        channel = channel or {"good": self.frames or 0.0}
        return Loss(**channel, bit_error_rate=self.bit_error_rate, pattern=self.pattern)


class RedSpec(FileModel):
    """Random early detection between two average lengths of the queue."""

    min: Size = Field(gt=0, description="average queue above which frames begin to be hit")
    max: Size = Field(gt=0, description="average queue above which every frame is hit")
    probability: Probability = Field(0.02, description="at max")
    ecn: bool = Field(False, description="mark what is ECN-capable instead of dropping it")

    @model_validator(mode="after")
    def _in_order(self) -> RedSpec:
        if self.min >= self.max:
            raise ValueError("min must be below max")
        return self


class QueueSpec(FileModel):
    """The queue before a span; ``queue: 1 MB`` is short for ``{bytes: 1 MB}``."""

    bytes: Size | None = Field(
        default=None, gt=0, description="most that waits; one bandwidth-delay product unless stated"
    )
    packets: int | None = Field(default=None, gt=0, le=60_000, description="most frames that wait")
    red: RedSpec | None = Field(default=None, description="drop or mark before the queue is full")


JitterState = Annotated[
    JitterSpec | None,
    _short("deviation", Duration | JitterSpec | None),
    alone("deviation"),
]
LossState = Annotated[
    LossSpec | None, _short("frames", Probability | LossSpec | None), alone("frames")
]
QueueState = Annotated[QueueSpec | None, _short("bytes", Size | QueueSpec | None), alone("bytes")]


class StateSpec(FileModel):
    """One direction of a span; what is not stated stays as it is."""

    rate: Rate | None = Field(default=None, gt=0, description="on the wire, headers included")
    delay: Duration | None = Field(None, description="one way")
    jitter: JitterState = Field(
        default=None, description="a random part of the delay, or its deviation alone"
    )
    loss: LossState = Field(
        default=None, description="frames that the line loses, or their share alone"
    )
    duplicate: Probability | None = Field(default=None, description="of a frame's arriving twice")
    corrupt: Probability | None = Field(None, description="of one wrong bit in a frame")
    reorder: Probability | None = Field(None, description="of a frame's skipping the delay")
    queue: QueueState = Field(
        default=None, description="what waits before the span, or its size alone"
    )
    mtu: int | None = Field(
        default=None, ge=MIN_MTU, le=MAX_MTU, description="largest packet, in bytes"
    )
    up: bool | None = Field(default=None, description="false: the span carries nothing")

    @field_validator("jitter")
    @classmethod
    def _some_jitter(cls, jitter: JitterSpec | None) -> JitterSpec | None:
        if jitter and jitter.deviation == 0:  # which may be set, where there was some before
            raise ValueError("should be greater than 0; leave it out for none")
        return jitter

    def on(self, state: LinkState) -> LinkState:
        """Return a link state with what is stated here put in; raises NetworkError."""
        changes: dict[str, Any] = {
            "rate_bps": self.rate,
            "delay_ns": self.delay,
            "loss": self.loss and self.loss.state(),
            "duplicate": self.duplicate,
            "corrupt": self.corrupt,
            "reorder": self.reorder,
            "mtu": self.mtu,
            "up": self.up,
        }
        if self.queue:
            red = self.queue.red
            changes["queue_bytes"] = self.queue.bytes or 0
            changes["queue_packets"] = self.queue.packets or 0
            changes["red"] = red and Red(red.min, red.max, red.probability, red.ecn)
        stated = {key: value for key, value in changes.items() if value is not None}
        if self.jitter:
            stated["jitter"] = self.jitter.state()
        return replace(state, **stated)
