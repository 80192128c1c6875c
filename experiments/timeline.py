"""What happens while training runs: the events that a scenario file may hold."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from experiments.strategyspec import AsStrategy
from topologies.files import FileModel
from topologies.spec import Name
from topologies.statespec import JitterState, LossState, QueueState, StateSpec
from topologies.units import Duration, Rate


def _read_step(value: object) -> int:
    if isinstance(value, str) and (match := re.fullmatch(r"step ([0-9]{1,6})", value)):
        return int(match[1])
    raise ValueError('is not a moment: write "step 20"')


AtStep = Annotated[
    int,
    BeforeValidator(_read_step),
    PlainSerializer(lambda step: f"step {step}"),
    WithJsonSchema({"type": "string", "pattern": "^step [0-9]+$", "examples": ["step 20"]}),
]

DONE = {
    "upgrade": "upgraded",
    "age": "older",
    "set": "set",
    "fail": "failed",
    "restore": "restored",
    "drain": "drained",
    "undrain": "undrained",
    "policy": "routing",
    "kill": "killed",
    "leave": "left",
    "join": "joined",
    "rejoin": "rejoined",
    "strategy": "training",
    "pause": "paused",
}
"""What each kind of event has done to its target, as phases and figures say it."""

ROUTING = ("drain", "undrain", "policy")
"""The kinds of events that change where traffic goes, and no span."""
MOVES = ("leave", "join", "rejoin")
"""The kinds of events by which campuses take part in training, or no longer."""
HALTS = (*MOVES, "strategy", "pause")
"""The kinds of events at which all ranks stop before the same step."""
SPANS = tuple(kind for kind in DONE if kind not in (*ROUTING, *HALTS, "kill"))
"""The kinds of events that happen to spans."""
RANKS = "all ranks"
"""What a pause happens to."""

_NEEDS: dict[str, str | None] = {
    "upgrade": "with",
    "age": "by",
    **dict.fromkeys(("fail", "restore", *ROUTING, "kill", *HALTS, "set")),
}
"""Each kind of event, named by the key that says its target, and the key that it needs."""
_LASTS = ("upgrade", "fail")
"""The kinds of events that may say how long."""
_SETS = ("rate", "delay", "jitter", "loss", "queue")
"""What of a span may be set."""


def _options_beside(data: object) -> object:
    """Take keys that no event has for options of the strategy that stands beside them."""
    if not isinstance(data, dict) or not isinstance(data.get("strategy"), str):
        return data
    own = {field.alias or name for name, field in TimelineEvent.model_fields.items()}
    options = {key: value for key, value in data.items() if key not in own}
    if not options:
        return data
    event = {key: value for key, value in data.items() if key in own}
    return {**event, "strategy": {"name": data["strategy"], **options}}


class TimelineEvent(FileModel):
    """One change while training runs.

    ``{upgrade: SPAN, with: NAME}`` (``for: 2 s`` the work takes the span down), ``{drain: SPAN}``
    before it and ``{undrain: SPAN}`` after, ``{policy: NAME}``, ``{age: SPAN, by: 5 years}``,
    ``{fail: SPAN or DUCT, for: 2 s}`` (several ``times`` it flaps, as long up in between; ``silent:
    true`` leaves its ports up), ``{restore: SPAN or DUCT}`` after a ``{fail: ...}`` that says no
    end. A campus in place of a span is all of its spans: it is cut off. ``{kill: WORKER}`` kills a
    rank; by ``{leave: CAMPUS}`` and ``{join: CAMPUS}`` training goes on without it, or with it; who
    joins first was not there before. ``{rejoin: CAMPUS}`` brings lost ranks of a campus back.
    ``{set: SPAN, loss: 0.001}`` leaves a span as it is but for what is stated, alike both ways.
    ``{strategy: NAME}``, with options beside it, trains on by another one, ``{pause: 5 s}`` not.
    """

    at: AtStep = Field(description="when the last rank has finished the step before")
    upgrade: Name | None = Field(None, description="the span to upgrade")
    with_: Name | None = Field(None, alias="with", description="an upgrade of the catalogue")
    age: Name | None = Field(None, description="the span that grows older")
    by: Duration | None = Field(None, gt=0, description="years of service")
    fail: Name | None = Field(None, description="the span, or a duct or campus: all its spans")
    for_: Duration | None = Field(
        None, gt=0, alias="for", description="how long the span stays down, in real time"
    )
    times: int = Field(1, ge=1, le=1000, description="how often it fails")
    silent: bool = Field(False, description="loses every frame, but ports stay up: a black hole")
    restore: Name | None = Field(None, description="what to bring back")
    drain: Name | None = Field(None, description="the span that all traffic is led around")
    undrain: Name | None = Field(None, description="the span that traffic may use again")
    policy: Name | None = Field(None, description="the policy to route by from now on")
    kill: Name | None = Field(None, description="the worker whose rank is killed: CAMPUS-w1")
    leave: Name | None = Field(None, description="the campus that training goes on without")
    join: Name | None = Field(None, description="the campus that takes part from now on")
    rejoin: Name | None = Field(None, description="the campus whose lost ranks take part again")
    strategy: AsStrategy | None = Field(None, description="to train by from now on")
    pause: Duration | None = Field(None, description="how long no step begins, in real time")
    set: Name | None = Field(None, description="the span of which something is to be as stated")
    rate: Rate | None = Field(None, gt=0, description="of the span that is set, on the wire")
    delay: Duration | None = Field(None, description="of the span that is set, one way")
    jitter: JitterState = Field(None, description="of the span that is set; 0 ms is none")
    loss: LossState = Field(None, description="of the span that is set")
    queue: QueueState = Field(None, description="of the span that is set")

    @model_validator(mode="before")
    @classmethod
    def _whole_strategy(cls, data: object) -> object:
        return _options_beside(data)

    @model_validator(mode="after")
    def _one_kind(self) -> TimelineEvent:
        said = [kind for kind in _NEEDS if getattr(self, kind) is not None]
        if len(said) != 1:
            raise ValueError(f"says one of {', '.join(_NEEDS)}, and of one target")
        (kind,) = said
        for key, value in (("with", self.with_), ("by", self.by)):
            if value is not None and key != _NEEDS[kind]:
                raise ValueError(f'"{key}" does not belong to {kind}')
            if value is None and key == _NEEDS[kind]:
                raise ValueError(f'{kind} needs "{key}"')
        if self.for_ is not None and kind not in _LASTS:
            raise ValueError(f'"for" does not belong to {kind}')
        if self.times > 1 and kind != "fail":
            raise ValueError(f'"times" does not belong to {kind}')
        if self.silent and (kind != "fail" or self.for_ is None):
            raise ValueError('"silent" belongs to a fail that says "for" how long')
        stated = [key for key in _SETS if getattr(self, key) is not None]
        if stated and kind != "set":
            raise ValueError(f'"{stated[0]}" does not belong to {kind}')
        if kind == "set" and not stated:
            raise ValueError(f"set needs one or more of {', '.join(_SETS)}")
        if self.times > 1 and self.for_ is None:
            raise ValueError('times needs "for": how long each outage lasts')
        return self

    @property
    def kind(self) -> str:
        """Return what happens, by the key that says to what."""
        return next(kind for kind in _NEEDS if getattr(self, kind) is not None)

    @property
    def target(self) -> str:
        """Return what it happens to: a span, duct, campus, worker, policy, strategy or ranks."""
        if self.pause is not None:
            return RANKS
        if self.strategy is not None:
            return self.strategy.name
        target: str = getattr(self, self.kind)
        return target

    def state(self) -> StateSpec:
        """Return what is set of a span."""
        return StateSpec.model_construct(**{key: getattr(self, key) for key in _SETS})

    def change(self) -> Any:
        """Return what happens to the span's plant: an upgrade's name, years in ns, or nothing."""
        return self.with_ or self.by
