"""What a session keeps of routes: when they changed, and each of them once."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from controller.messages import Crossed, Health
from experiments.network import Network
from experiments.session import Session


class Controller:
    """What a session asks the controller for."""

    def __init__(self) -> None:
        self.version = self.in_force_ns = 0
        self.span = "west-east"

    def health(self) -> Health:
        return cast("Health", SimpleNamespace(version=self.version, in_force_ns=self.in_force_ns))

    def crossings(self) -> dict[str, dict[str, Crossed]]:
        return {"west-w1": {"east-w1": {self.span: (1.0, 0.0)}}}


def test_routes_are_noted_when_they_change_and_each_is_kept_once() -> None:
    controller, session = Controller(), Session()

    def ask(question: Callable[[Any], Any]) -> Any:
        return getattr(controller, question.__name__)()

    network = cast("Network", SimpleNamespace(supervised=SimpleNamespace(ask=ask)))
    for version, span in enumerate(("west-east", "west-east", "detour", "west-east", "west-east")):
        controller.version, controller.in_force_ns, controller.span = version, 10 * version, span
        assert session.routed(network, by_itself=version == 2) == 10 * version
    assert [at_ns for at_ns, _ in session.routes] == [0, 20, 30]
    assert session.routes[0][1] is session.routes[2][1]
    assert (session.version, session.rerouted) == (4, True)
    controller.in_force_ns = 0  # it was started anew
    assert session.routed(network) == 30
