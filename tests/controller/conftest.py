"""A sample network, controllers on either OpenFlow framework, and switches that only pretend."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.controller.controller_process import Ahead, Body, ControllerProcess
from tests.controller.fake_switch import FakeSwitch
from tests.controller.ryu_environment import CannotInstall, ryu_python
from topologies.graph import Graph, build_graph
from topologies.linkstate import LinkState
from topologies.spec import NetworkSpec

SPAN = {"rate": "1 Gbit/s", "delay": "1 ms"}
MS = 10**6


@pytest.fixture(scope="session")
def graph() -> Graph:
    """Three campuses of different fabrics, joined in a triangle."""
    spec = {
        "campuses": {
            "north": {"workers": 2},
            "south": {"workers": 2, "fabric": {"kind": "ring", "leaves": 4}},
            "east": {"workers": 1, "fabric": {"kind": "star"}},
        },
        "spans": {"north-south": SPAN, "south-east": SPAN, "north-east": SPAN},
    }
    return build_graph(NetworkSpec.model_validate(spec))


LINKS = {
    "north-south": LinkState(10**9, 10 * MS),
    "south-east": LinkState(10**9, 2 * MS),
    "north-east": LinkState(10**9, 3 * MS),
}
"""North to south is slower directly than by way of east."""


@pytest.fixture
def links() -> dict[str, LinkState]:
    return dict(LINKS)


@pytest.fixture(scope="session")
def ryu() -> Body:
    """Ryu 4.34, installed by the first test that needs it."""
    try:
        return Body("ryu", ryu_python())
    except CannotInstall as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"Ryu cannot be installed: {error}")


@pytest.fixture(params=["os-ken", "ryu"])
def body(request: pytest.FixtureRequest) -> Body:
    """Each of the frameworks that the controller runs on."""
    found: Body = request.getfixturevalue("ryu") if request.param == "ryu" else Body("os-ken")
    return found


@pytest.fixture(scope="module")
def ahead(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ahead]:
    """Controllers for the sample network that had time to start up."""
    ahead = Ahead(
        lambda body: ControllerProcess(
            tmp_path_factory.mktemp("controller"), graph, dict(LINKS), body=body
        )
    )
    yield ahead
    ahead.close()


@pytest.fixture
def start(
    tmp_path: Path, graph: Graph, links: dict[str, LinkState], body: Body, ahead: Ahead
) -> Iterator[Callable[..., ControllerProcess]]:
    """Start controllers for the sample network; they end with the test.

    The first is one that was started before, unless it has options or is to find other files; the
    others go on from its files.
    """
    started: list[ControllerProcess] = []

    def start(*more: str, other_files: bool = False) -> ControllerProcess:
        if not (started or more or other_files):
            started.append(ahead.take(body))
        else:
            folder = started[0].folder if started else tmp_path
            started.append(ControllerProcess(folder, graph, links, *more, body=body))
        return started[-1]

    yield start
    for controller in started:
        controller.end()


@pytest.fixture
def connect() -> Iterator[Callable[..., FakeSwitch]]:
    """Connect fake switches; they go with the test."""
    switches: list[FakeSwitch] = []

    def connect(port: int, dpid: int, **options: Any) -> FakeSwitch:
        switches.append(FakeSwitch(port, dpid, **options))
        return switches[-1]

    yield connect
    for switch in switches:
        switch.close()
