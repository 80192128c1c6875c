"""What a file may state of one direction of a span, and the link state that makes."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import (
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from topologies.files import FileModel
from topologies.linkstate import MAX_PATTERN, Distribution, Jitter, LinkState, Loss, Red
from topologies.units import Duration, Rate, Size

Probability = Annotated[float, Field(ge=0, le=1)]
MIN_MTU, MAX_MTU = 1280, 9000


def _short(key: str) -> WrapValidator:
    """Take a bare value for a mapping with that one key; errors are located at the value."""

    def expand(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        if not isinstance(value, str | int | float):
            return validate(value)
        try:
            return validate({key: value})
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            raise ValueError(message.removeprefix("Value error, ")) from None

    return WrapValidator(expand)


class JitterSpec(FileModel):
    """A random part of the delay; ``jitter: 1 ms`` is short for a normal one."""

    deviation: Duration | None = Field(None, gt=0, description="standard deviation")
    distribution: Distribution = "normal"
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

    def state(self) -> Jitter:
        """Return what this states."""
        if self.table:
            return Jitter.from_table(tuple(self.table), self.reorder)
        assert self.deviation is not None, "checked when read"
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
    gilbert_elliott: GilbertElliottSpec | None = None
    bit_error_rate: Probability = 0.0
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

    min: Size = Field(gt=0)
    max: Size = Field(gt=0)
    probability: Probability = Field(0.02, description="at max")
    ecn: bool = Field(False, description="mark what is ECN-capable instead of dropping it")

    @model_validator(mode="after")
    def _in_order(self) -> RedSpec:
        if self.min >= self.max:
            raise ValueError("min must be below max")
        return self


class QueueSpec(FileModel):
    """The queue before a span; ``queue: 1 MB`` is short for ``{bytes: 1 MB}``."""

    bytes: Size | None = Field(None, gt=0)
    packets: int | None = Field(None, gt=0, le=60_000)
    red: RedSpec | None = None


class StateSpec(FileModel):
    """One direction of a span; what is not stated stays as it is."""

    rate: Rate | None = Field(None, gt=0)
    delay: Duration | None = Field(None, description="one way")
    jitter: Annotated[JitterSpec | None, _short("deviation")] = None
    loss: Annotated[LossSpec | None, _short("frames")] = None
    duplicate: Probability | None = None
    corrupt: Probability | None = Field(None, description="of one wrong bit in a frame")
    reorder: Probability | None = Field(None, description="of a frame's skipping the delay")
    queue: Annotated[QueueSpec | None, _short("bytes")] = None
    mtu: int | None = Field(None, ge=MIN_MTU, le=MAX_MTU)
    up: bool | None = None

    def on(self, state: LinkState) -> LinkState:
        """Return a link state with what is stated here put in; raises NetworkError."""
        changes: dict[str, Any] = {
            "rate_bps": self.rate,
            "delay_ns": self.delay,
            "jitter": self.jitter and self.jitter.state(),
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
        return replace(state, **{key: value for key, value in changes.items() if value is not None})
