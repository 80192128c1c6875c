"""A strategy as a scenario file states it: a name, or a name with options beside it."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, ConfigDict, Field

from experiments import strategyoptions
from topologies.files import FileModel
from topologies.statespec import alone
from topologies.suggest import names_of, one_of, unknown
from workloads import strategies
from workloads.option import Value


class StrategySpec(FileModel):
    """How gradients or parameters meet: a strategy by its name, and its options beside that."""

    model_config = ConfigDict(extra="allow")  # checked by the strategy's own declaration

    name: Annotated[str, one_of("strategy", strategies.names())] = Field(
        default="ddp", description="of the strategy; its options stand beside"
    )

    @property
    def options(self) -> dict[str, Value]:
        """All options, as stated or by default; raises ValueError for one that is wrong."""
        return strategyoptions.read(self.name, self.model_extra or {})


def strategy_of(value: object) -> object:
    """Take a name alone for a strategy without stated options."""
    if isinstance(value, str):
        if value not in strategies.names():
            raise ValueError(unknown("strategy", value, strategies.names()))
        return {"name": value}
    if not isinstance(value, dict | StrategySpec):
        raise ValueError("must be a name, such as ddp, or hold one: {name: local-sgd, every: 8}")
    return value


AsStrategy = Annotated[
    StrategySpec,
    BeforeValidator(
        strategy_of, json_schema_input_type=names_of(strategies.names()) | StrategySpec
    ),
    alone("name"),
]


class Chosen(NamedTuple):
    """What is trained by from a step on, and where the scenario says so."""

    step: int
    strategy: StrategySpec
    where: str
