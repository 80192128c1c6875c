"""What happens to spans while training runs: the events that a scenario file may hold."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from topologies.files import FileModel
from topologies.spec import Name
from topologies.units import Duration


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

DONE = {"upgrade": "upgraded", "age": "older", "fail": "failed", "restore": "restored"}
"""What each kind of event has done to a span, as phases and figures say it."""

_NEEDS = {"upgrade": "with", "age": "by", "fail": "for", "restore": None}
"""Each kind of event, named by the key that says its target, and the key that completes it."""


class TimelineEvent(FileModel):
    """One change of a span while training runs.

    ``{upgrade: SPAN, with: NAME}``, ``{age: SPAN, by: 5 years}``,
    ``{fail: SPAN or DUCT, for: 2 s}`` (several ``times`` it flaps, as long up in between),
    ``{restore: SPAN or DUCT}`` after a ``{fail: ...}`` that says no end.
    """

    at: AtStep
    upgrade: Name | None = Field(None, description="the span to upgrade")
    with_: Name | None = Field(None, alias="with", description="an upgrade of the catalogue")
    age: Name | None = Field(None, description="the span that grows older")
    by: Duration | None = Field(None, gt=0, description="years of service")
    fail: Name | None = Field(None, description="the span, or the duct with all its spans")
    for_: Duration | None = Field(
        None, gt=0, alias="for", description="how long it stays down, in real time"
    )
    times: int = Field(1, ge=1, le=1000, description="how often it fails")
    restore: Name | None = Field(None, description="the span or duct to bring back")

    @model_validator(mode="after")
    def _one_kind(self) -> TimelineEvent:
        said = [kind for kind in _NEEDS if getattr(self, kind) is not None]
        if len(said) != 1:
            raise ValueError(f"says one of {', '.join(_NEEDS)}, and of one target")
        (kind,) = said
        completed = {"with": self.with_, "by": self.by, "for": self.for_}
        for key, value in completed.items():
            if value is not None and key != _NEEDS[kind]:
                raise ValueError(f'"{key}" does not belong to {kind}')
        if kind in ("upgrade", "age") and completed[str(_NEEDS[kind])] is None:
            raise ValueError(f'{kind} needs "{_NEEDS[kind]}"')
        if self.times > 1 and self.for_ is None:
            raise ValueError('times needs "for": how long each outage lasts')
        return self

    @property
    def kind(self) -> str:
        """Return what happens: ``upgrade``, ``age``, ``fail`` or ``restore``."""
        return next(kind for kind in _NEEDS if getattr(self, kind) is not None)

    @property
    def target(self) -> str:
        """Return the span or duct it happens to."""
        target: str = getattr(self, self.kind)
        return target

    def change(self) -> Any:
        """Return what happens to the span's plant: an upgrade's name, years in ns, or nothing."""
        return self.with_ or self.by
