"""How a scenario states what ranks learn: a task by its name, and its options."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from topologies.files import FileModel
from topologies.suggest import names_of, unknown
from workloads import tasks
from workloads.option import Value


def _known(value: object) -> object:
    if value not in tasks.names():
        raise ValueError(unknown("task", str(value), tasks.names()))
    return value


class TaskSpec(FileModel):
    """What ranks learn."""

    model_config = ConfigDict(extra="allow")  # checked by the task's own declaration

    name: Annotated[
        str, BeforeValidator(_known, json_schema_input_type=names_of(tasks.names()))
    ] = Field(default="synthetic", description="of the task; its options stand beside")

    @property
    def options(self) -> dict[str, Value]:
        """All options, as stated or by default; raises ValueError for one that is wrong."""
        return tasks.settled(self.name, self.model_extra or {})

    def check(self) -> None:
        """Raise ValueError, beginning with the option's name, for one that is wrong."""
        tasks.settled(self.name, self.model_extra or {})

    def refuse(self, loss: float | None) -> str | None:
        """Say why a loss cannot be hoped for, if so."""
        if loss is None:
            return None
        best = tasks.best_loss(self.name)
        if best is None:
            return f"that of the task {self.name} means nothing; take workload.task: language-model"
        if loss <= best:
            return (
                f"'{loss:g}' cannot be reached: the text itself has an entropy of {best:.3f} nats "
                "per character, which no model falls below"
            )
        return None


def task_of(value: object) -> object:
    """Take a name alone for a task without stated options."""
    if isinstance(value, str):
        _known(value)
        return {"name": value}
    if not isinstance(value, dict | TaskSpec):
        raise ValueError(
            "must be a name, such as language-model, or hold one: {name: language-model, layers: 4}"
        )
    return value
