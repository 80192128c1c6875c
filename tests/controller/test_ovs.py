"""The controller and real Open vSwitch: what it reports is what packets meet, and none is lost."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.controller.controller_process import Body
from tests.controller.ryu_environment import CannotInstall, ryu_python

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_ovs,
    pytest.mark.slow,
]
LAB = Path(__file__).with_name("ovs_lab.py")


@pytest.fixture(scope="module")
def labs() -> Iterator[dict[str, Future[Any]]]:
    """What a run in the lab finds, for each framework: at once, since both mostly wait."""
    bodies = [Body("os-ken")]
    with contextlib.suppress(CannotInstall):  # its tests tell
        bodies.append(Body("ryu", ryu_python()))
    with ThreadPoolExecutor() as pool:
        yield {body.name: pool.submit(found_with, body) for body in bodies}


@pytest.fixture
def found(body: Body, labs: dict[str, Future[Any]]) -> Any:
    return labs[body.name].result()


def found_with(body: Body) -> Any:
    # A short path of its own: the name of a Unix socket holds 107 bytes.
    with tempfile.TemporaryDirectory(prefix="spanlab-ovs-") as folder:
        done = subprocess.run(
            ["unshare", "--net", sys.executable, str(LAB), folder, str(body.python)],
            env=body.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=200,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


ALL = "3 received, 0% packet loss"


def test_packets_follow_the_reported_routes_and_the_pins(found: dict[str, Any]) -> None:
    assert found["errors"] == []
    border = found["entries"]["flows of north-border"]
    assert any("table=0" in it and "priority=0 actions=drop" in it for it in border)
    assert any("priority=400,arp,arp_op=1 actions=CONTROLLER:65535" in it for it in border)
    assert any("type=ff" in it for it in found["entries"]["groups of north-border"])
    assert ALL in found["ping"]
    for when, transit in (("direct", False), ("detour", True)):
        traced = found[when]["traced"]
        assert found[when]["reported"][1:-1][: len(traced)] == traced
        assert ("east-border" in traced) == transit
    assert ALL in found["ping after"]
    assert found["pinned"] == ["north-border", "south-border"]
    assert "100% packet loss" in found["cut off"]
    assert found["exit"] == 0


@pytest.mark.parametrize("when", ["policies", "drain", "restart", "repair"])
def test_no_packet_is_lost_or_doubled_while_something_changes(
    when: str, found: dict[str, Any]
) -> None:
    flow = found[when]
    assert flow["sent"] > 1000
    assert (flow["lost"], flow["twice"]) == ([], 0)


def test_a_drained_span_is_left(found: dict[str, Any]) -> None:
    assert "east-border" in found["drained"]
    assert "east-border" not in found["undrained"]


def test_a_controller_that_was_killed_goes_on_without_a_single_change(
    found: dict[str, Any],
) -> None:
    assert found["changed by restart"] == []
    before, after = found["versions"]
    assert before == after > 1


def test_switches_go_around_a_span_that_is_cut_while_there_is_no_controller(
    found: dict[str, Any],
) -> None:
    way = ["north-leaf1", "north-spine1", "north-border"]
    assert [*found["by way of"]] == [*way, "east-border"]
    assert len(found["cut"]["lost"]) < 200, "of a thousand a second"
    assert ALL in found["ping around"]
    assert found["around"] == [*way, "east-border", "north-border", "south-border"]
    assert found["live"] is False
    assert found["then"] == [*way, "south-border"]
    assert found["again"] == [*way, "east-border"]


def test_a_cable_in_the_wrong_place_is_named(found: dict[str, Any]) -> None:
    right, wrong = found["right"], found["wrong"]
    assert (right["ready"], right["error"], right["unseen"]) == (True, None, [])
    assert not wrong["ready"]
    assert wrong["error"].startswith("mis-wired: ")
    told = "\n".join(wrong["miswired"])
    for switch in ("north-border", "south-border", "east-border"):
        assert f"{switch} port " in told
    assert "(span north-south) should lead to" in told
    assert "(span north-east) should lead to" in told
