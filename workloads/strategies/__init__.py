"""Training strategies: how the ranks' gradients or parameters meet. One file each, found by name.

A strategy ``some-name`` is the context manager ``some_name`` of the file ``some_name.py`` in this
folder: it takes the model, the job and its options, and yields a `Replica` for the training loop.
The first sentence of its docstring is what users read. Beside it the file declares:

- ``SYNCHRONOUS``: whether the parameters of all ranks must be bit-identical after every step;
- ``RESUMES``, if it does: whether each rank holds all that training goes on from, so that ranks may
  be lost, leave and join;
- ``HURRIES``, if ranks cannot all wait before a step, nor end before the job's last: why not;
- ``OPTIONS``, if it has any: what the scenario may state, by name;
- ``refuse(sites, options)``, if it cannot always run: why not, or None. Pure;
- ``TASK``, if it trains only that one.
- ``too_small(sites, gradient_bytes, bucket_bytes, options)``, if it needs some size to run when
  emulated: what is too small, or None; all quantities are emulated ones. Pure.

None of these files imports torch but inside the context manager, so that a scenario is checked and
strategies are listed without it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from workloads import option
from workloads.option import Option, Value

if TYPE_CHECKING:
    from torch import nn

    from workloads.exchange.replica import Replica
    from workloads.job import Job

    Strategy = Callable[..., AbstractContextManager[Replica]]

Options = Mapping[str, Value]


@dataclass(frozen=True)
class Declaration:
    """What others need to know of a strategy, without running it.

    Attributes:
        synchronous: whether all ranks' parameters must be bit-identical after every step. Where
            not, ranks agree on something else, or only at times: see `Replica.agreed`.
        options: what a scenario may state.
        about: the first sentence of its docstring.
        resumes: whether ranks may be lost, leave and join.
        hurries: why ranks cannot all wait before a step, nor end before the job's last; or None.
    """

    synchronous: bool
    options: Mapping[str, Option]
    about: str
    resumes: bool
    hurries: str | None = None


def names() -> list[str]:
    """Return the name of every strategy, without loading any."""
    return sorted(file.name.replace("_", "-") for file in pkgutil.iter_modules(__path__))


def load(name: str) -> Strategy:
    """Return the strategy of that name."""
    strategy: Strategy = getattr(_module(name), name.replace("-", "_"))
    return strategy


def around(model: nn.Module, job: Job) -> AbstractContextManager[Replica]:
    """Return the job's strategy, with its options, around a model."""
    return load(job.strategy)(model, job, **settled(job.strategy, job.options))


def declaration(name: str) -> Declaration:
    """Return what the strategy of that name declares."""
    module = _module(name)
    sentence = (load(name).__doc__ or "").strip().partition("\n")[0]
    return Declaration(
        module.SYNCHRONOUS,
        getattr(module, "OPTIONS", {}),
        sentence,
        getattr(module, "RESUMES", False),
        getattr(module, "HURRIES", None),
    )


def descriptions() -> dict[str, str]:
    """Return a sentence on each strategy, by name."""
    return {name: declaration(name).about for name in names()}


def settled(name: str, stated: Mapping[str, object]) -> dict[str, Value]:
    """Return every option of a strategy: as stated, else by default.

    Raises ValueError, beginning with the option's name, for one that is unknown or out of bounds.
    """
    return option.settled(declaration(name).options, stated)


def refuse(name: str, sites: Sequence[str], options: Options) -> str | None:
    """Say why a strategy cannot run on ranks at those sites with those options, all of them."""
    if len(sites) < 2:
        return "one worker alone has nobody to train with"
    reason: Callable[[Sequence[str], Options], str | None] | None
    reason = getattr(_module(name), "refuse", None)
    return reason(sites, options) if reason else None


def too_small(
    name: str, sites: Sequence[str], gradient_bytes: int, bucket_bytes: int, options: Options
) -> str | None:
    """Say what is too small for a strategy, all quantities being emulated ones."""
    reason: Callable[[Sequence[str], int, int, Options], str | None] | None
    reason = getattr(_module(name), "too_small", None)
    return reason(sites, gradient_bytes, bucket_bytes, options) if reason else None


def only_task(name: str) -> str | None:
    """Return the one task that a strategy trains, or None for one that trains any."""
    only: str | None = getattr(_module(name), "TASK", None)
    return only


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
