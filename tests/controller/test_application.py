"""What is asked for, put into force or refused: policies that fail, drains, the intent file."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller import policies
from controller.app import Application
from controller.errors import ControllerError, IntentError
from controller.intent import Intent, read_intent
from controller.label import version_of
from controller.messages import LinkChange
from controller.reports import Reports
from controller.rules import Rule, SetMac, table
from tests.controller.in_process import Switch, running
from topologies.graph import Graph
from topologies.linkstate import LinkState

SOON_S = 5.0
Links = dict[str, LinkState]
WritePolicy = Callable[[str, str], None]


@pytest.fixture
def write_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritePolicy]:
    """Add policies to those there are, for the time of a test."""
    folder = tmp_path / "policies"
    folder.mkdir()
    monkeypatch.setattr(policies, "__path__", [*policies.__path__, str(folder)])
    written = []

    def write(name: str, body: str) -> None:
        function = name.replace("-", "_")
        written.append(f"controller.policies.{function}")
        sys.modules.pop(written[-1], None)
        (folder / f"{function}.py").write_text(
            "from controller.policies.shortest_delay import shortest_delay\n"
            "from controller.routes import Hop, Routes\n\n\n"
            f"def {function}(graph, links, demands):\n    {body}\n"
        )

    yield write
    for module in written:
        sys.modules.pop(module, None)


@pytest.fixture
def application(graph: Graph, links: Links, tmp_path: Path) -> Application:
    return Application(graph, Intent("shortest-delay", links), tmp_path / "intent.json")


@pytest.fixture
def switches(application: Application) -> Iterator[dict[str, Switch]]:
    with running(application) as switches:
        soon(lambda: application.state.in_force)
        yield switches


def held(switches: dict[str, Switch]) -> dict[Any, Any]:
    return table(entry for switch in switches.values() for entry in switch.table.held.values())


def rules(switches: dict[str, Switch]) -> list[Rule]:
    return [entry for entry in held(switches).values() if isinstance(entry, Rule)]


def soon(condition: Callable[[], object]) -> None:
    """Poll a condition to a deadline."""
    deadline_s = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.005)


def stamped(switches: dict[str, Switch]) -> set[int]:
    return {
        version_of(action.mac)
        for rule in rules(switches)
        if rule.goto
        for action in rule.actions
        if isinstance(action, SetMac)
    }


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("raise ZeroDivisionError('oops')", "ZeroDivisionError: oops"),
        ("return links[0]", "KeyError: 0"),
        ("return None", "AttributeError"),
        ("syntax error", "SyntaxError"),
        ("return Routes({'north-w9': {}})", 'PolicyError: routes lead to "north-w9"'),
        (
            "return Routes({'north-w1': {'north-leaf1': (Hop(1),), 'north-spine1': (Hop(1),)}})",
            "PolicyError: .* runs in a loop",
        ),
    ],
)
def test_a_policy_that_fails_is_named_and_the_old_rules_stay(
    body: str,
    error: str,
    application: Application,
    switches: dict[str, Switch],
    write_policy: WritePolicy,
) -> None:
    before = held(switches)
    write_policy("wide-path", body)
    with pytest.raises(ControllerError, match=f'policy "wide-path": {error}'):
        application.set_policy("wide-path", None, SOON_S)
    health = Reports(application.state).health()
    assert health.error and health.error.startswith('policy "wide-path": ')
    assert (health.version, health.policy) == (1, "wide-path")
    assert held(switches) == before
    # What is seen and asked for meanwhile changes nothing, and is not lost.
    with pytest.raises(ControllerError, match="wide-path"):
        application.set_links({"north-south": LinkChange(delay_ns=0)}, SOON_S)
    assert held(switches) == before
    application.set_policy("shortest-delay", None, SOON_S)
    health = Reports(application.state).health()
    assert (health.version, health.error) == (2, None)
    assert stamped(switches) == {2}


def test_a_controller_starts_with_a_policy_that_cannot_be_loaded_and_says_so(
    graph: Graph, links: Links, write_policy: WritePolicy
) -> None:
    write_policy("broken", "syntax error")
    application = Application(graph, Intent("broken", links))
    with running(application):
        soon(lambda: application.state.error)
        assert str(application.state.error).startswith('policy "broken": SyntaxError')
        assert not application.state.in_force
        application.set_policy("shortest-delay", None, SOON_S)
        assert application.state.in_force


def test_a_policy_gets_what_was_told_and_asked(
    application: Application, switches: dict[str, Switch], write_policy: WritePolicy
) -> None:
    write_policy("strict", "assert not links['north-east'].up; raise KeyError(links)")
    application.drain("north-east", SOON_S)
    with pytest.raises(ControllerError, match="KeyError"):
        application.set_policy("strict", None, SOON_S)


def test_a_drained_span_is_left_once_no_packet_can_be_on_it(
    application: Application, switches: dict[str, Switch]
) -> None:
    begin_s = time.monotonic()
    assert application.drain("north-east", SOON_S) > 0
    assert time.monotonic() - begin_s > 1.0, "what had entered before, may take so long"
    wiring = application.wiring
    ends = {*wiring.ends("north-east")}
    for source in wiring.workers_of["north"]:
        for way in Reports(application.state).ways(source, "east-w1"):
            assert not ends & {*way.ports}
    soon(lambda: {rule.cookie & 0xFFFF for rule in rules(switches)} == {0, 2})
    application.undrain("north-east", SOON_S)
    (way,) = Reports(application.state).ways("north-w1", "east-w1")
    assert ends & {*way.ports}


def test_a_drain_that_would_cut_campuses_off_is_refused_and_changes_nothing(
    application: Application, switches: dict[str, Switch]
) -> None:
    application.set_links({"north-south": LinkChange(up=False)}, SOON_S)
    before = application.state.intent
    with pytest.raises(ControllerError, match="no other way joins north and south, north and east"):
        application.drain("north-east", SOON_S)
    assert application.state.intent == before
    with pytest.raises(IntentError, match="north-suoth"):
        application.drain("north-suoth", SOON_S)
    # Of one that nothing goes over, nothing is cut off.
    application.drain("north-south", SOON_S)


def test_of_drains_at_the_same_time_no_two_cut_campuses_off_together(
    application: Application, switches: dict[str, Switch]
) -> None:
    outcomes: list[str] = []
    together = threading.Barrier(len(application.wiring.graph.spans))

    def drain(span: str) -> None:
        together.wait()
        try:
            application.drain(span, SOON_S)
            outcomes.append("drained")
        except ControllerError:
            outcomes.append("refused")

    threads = [threading.Thread(target=drain, args=[s]) for s in application.wiring.graph.spans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["drained", "refused", "refused"]
    assert Reports(application.state).health().cut_off == ()


def test_a_drain_that_takes_too_long_is_no_drain_that_is_done(
    application: Application, switches: dict[str, Switch]
) -> None:
    with pytest.raises(ControllerError, match="packets may be under way"):
        application.drain("north-east", 0.3)


def test_packets_of_a_span_that_was_longer_before_are_waited_for(
    application: Application, switches: dict[str, Switch]
) -> None:
    far = LinkChange(delay_ns=10**9)
    application.set_links({"north-south": far}, SOON_S)
    application.set_links({"north-south": LinkChange(delay_ns=0)}, SOON_S)
    begin_s = time.monotonic()
    application.drain("north-east", SOON_S)
    assert time.monotonic() - begin_s > 3.0


def test_the_intent_is_on_disk_before_it_is_answered_and_whole_at_any_time(
    application: Application, switches: dict[str, Switch], graph: Graph, tmp_path: Path
) -> None:
    file = tmp_path / "intent.json"
    asking = 4

    def ask(number: int) -> None:
        for round_ in range(5):
            delay_ns = 1000 * number + round_
            application.set_links({"north-south": LinkChange(delay_ns=delay_ns)}, SOON_S)
            application.set_links({"south-east": LinkChange(rate_bps=10**6 + delay_ns)}, SOON_S)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(asking)]
    for thread in threads:
        thread.start()
    seen = 0
    while any(thread.is_alive() for thread in threads):
        if file.exists():
            read_intent(file.read_text(), graph)
            seen += 1
    for thread in threads:
        thread.join()
    assert seen
    assert read_intent(file.read_text(), graph) == application.state.intent
    assert application.state.intent.links["south-east"].rate_bps > 10**6
    assert [path.name for path in tmp_path.iterdir() if "intent" in path.name] == ["intent.json"]


def test_what_only_one_switch_refuses_is_in_force_nowhere(
    application: Application, switches: dict[str, Switch], links: Links
) -> None:
    before = held(switches)
    switches["east-border"].table.full = True
    with pytest.raises(ControllerError, match='switch "east-border" refused a rule: full'):
        application.set_links({"north-south": LinkChange(delay_ns=0)}, SOON_S)
    soon(lambda: held(switches) == before)
    assert "east-border" in (application.state.error or "")
    # What is in force is asked for again: nothing is wrong any more.
    application.set_links({"north-south": LinkChange(delay_ns=10**7)}, SOON_S)
    assert application.state.error is None
    assert application.state.version == 1


def test_a_span_that_flaps_is_not_used_until_it_stays(
    application: Application, graph: Graph, links: Links
) -> None:
    state, wiring = application.state, application.wiring
    for dpid in wiring.names:
        state.connected(dpid, [], {}, 0.0)
    ends = [(wiring.dpids[name], port) for name, port in wiring.ends("north-east")]

    def turn(live: bool, now_s: float) -> bool:
        for dpid, port in ends:
            state.port_changed(dpid, port, live, now_s)
        state.tick(now_s)
        return state.used()["north-east"].up

    assert state.used()["north-east"].up
    for now_s, live, used in (
        (1.0, False, False),
        (1.1, True, False),
        (1.2, False, False),
        (1.65, False, False),  # half a second after it came up first
        (1.7, True, False),
        (2.1, True, False),
        (2.3, True, True),
    ):
        assert turn(live, now_s) == used, now_s
