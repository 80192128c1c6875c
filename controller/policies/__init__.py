"""Routing policies: one file each, found by name.

A policy ``wide-path`` is the function ``wide_path`` of the file ``wide_path.py`` in this folder: it
takes the graph, the state of every span and the demands, and returns routes. The first sentence of
its docstring is what users read. It must be pure: same arguments, same routes.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence

from controller.errors import PolicyError
from controller.routes import Demand, Routes
from topologies.graph import Graph
from topologies.linkstate import LinkState
from topologies.suggest import unknown

Policy = Callable[[Graph, Mapping[str, LinkState], Sequence[Demand]], Routes]


def names() -> list[str]:
    """Return the name of every policy, without loading any."""
    return sorted(file.name.replace("_", "-") for file in pkgutil.iter_modules(__path__))


def check(name: str) -> None:
    """Raise PolicyError, naming those that exist, unless there is a policy of that name."""
    if name not in names():
        raise PolicyError(unknown("policy", name, names()))


def load(name: str) -> Policy:
    """Return the policy of that name; raises PolicyError if there is none."""
    check(name)
    function = name.replace("-", "_")
    module = importlib.import_module(f"{__name__}.{function}")
    policy: Policy = getattr(module, function)
    return policy


def descriptions() -> dict[str, str]:
    """Return a sentence on each policy, by name."""
    return {name: (load(name).__doc__ or "").strip().partition("\n")[0] for name in names()}
