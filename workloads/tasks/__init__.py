"""What ranks learn: a model at the size of a twin, and data. One file each, found by name.

A task ``some-name`` is the function ``some_name`` of the file ``some_name.py`` in this folder: it
takes the job and the rank, and returns a `workloads.lesson.Lesson` for the training loop. The first
sentence of its docstring is what users read. Beside it the file declares:

- ``OPTIONS``: what the scenario may state, by name;
- ``BEST_LOSS``: the least mean loss that any model can come to, or None where it means nothing;
- ``sized(options, gradient_bytes, bucket_bytes)``: its model as near to that size as it comes, or
  ValueError that says why none does. Pure.

None of these files imports torch but inside the function, so that a scenario is checked without it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING

from workloads import option
from workloads.option import Option, Value
from workloads.sizes import Sized

if TYPE_CHECKING:
    from workloads.job import Job, Rank
    from workloads.lesson import Lesson


def names() -> list[str]:
    """Return the name of every task, without loading any."""
    return sorted(file.name.replace("_", "-") for file in pkgutil.iter_modules(__path__))


def lesson(job: Job, me: Rank) -> Lesson:
    """Return what a rank of a job trains, and on what."""
    made: Lesson = _function(job.task)(job, me)
    return made


def options(name: str) -> Mapping[str, Option]:
    """Return what a scenario may state of a task."""
    declared: Mapping[str, Option] = _module(name).OPTIONS
    return declared


def settled(name: str, stated: Mapping[str, object]) -> dict[str, Value]:
    """Return every option of a task: as stated, else by default.

    Raises ValueError, beginning with the option's name, for one that is unknown or out of bounds.
    """
    return option.settled(options(name), stated)


def best_loss(name: str) -> float | None:
    """Return the least mean loss that any model can come to, or None where it means nothing."""
    best: float | None = _module(name).BEST_LOSS
    return best


def about(name: str) -> str:
    """Return a sentence on a task."""
    return (_function(name).__doc__ or "").strip().partition("\n")[0]


def sized(name: str, chosen: Mapping[str, Value], gradient_bytes: int, bucket_bytes: int) -> Sized:
    """Return a task's model with about so many bytes of gradients.

    Raises ValueError where no such model comes near.
    """
    found: Sized = _module(name).sized(chosen, gradient_bytes, bucket_bytes)
    return found


def _function(name: str) -> Callable[..., Lesson]:
    function: Callable[..., Lesson] = getattr(_module(name), name.replace("-", "_"))
    return function


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
