"""Routes: what a policy decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Routes:
    """The way to every worker, as a tree of next hops that ends at the worker.

    Attributes:
        toward: worker -> switch -> port that the switch sends the worker's traffic out of.
            A switch that is left out cannot reach the worker.
    """

    toward: Mapping[str, Mapping[str, int]]
