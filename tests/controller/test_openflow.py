"""The controller process, spoken to in OpenFlow by switches that only pretend."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from controller import policies
from controller.configuration import ENTRY, PRIORITY_STAMP
from controller.errors import ControllerError
from controller.label import label
from controller.messages import Changed
from controller.rules import ETH_IPV4, Output, SetMac, To, match
from controller.sight import HOLD_S
from controller.wiring import Wiring
from tests.controller.controller_process import Body, ControllerProcess
from tests.controller.fake_switch import FakeSwitch, plug_together
from tests.controller.test_foreign import MADE, OWN, REMOVED
from topologies.graph import Graph
from topologies.linkstate import LinkState

Start = Callable[..., ControllerProcess]
Connect = Callable[..., FakeSwitch]
Links = dict[str, LinkState]


def wait_until(condition: Callable[[], Any], timeout_s: float = 5.0) -> None:
    """Poll a condition to a deadline."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


class Network:
    """A controller and all switches of the sample network, connected."""

    def __init__(self, controller: ControllerProcess, graph: Graph, connect: Connect) -> None:
        self.graph, self.wiring, self._connect = graph, Wiring(graph), connect
        self.follow(controller)

    def follow(self, controller: ControllerProcess, **held: FakeSwitch) -> None:
        """Connect every switch to a controller, by name with what another holds."""
        self.controller, self.client = controller, controller.client
        self.switches = {
            s.name: self._connect(controller.openflow_port, s.dpid, held=held.get(s.name))
            for s in self.graph.switches
        }
        self.client.wait_ready(5)

    def __getitem__(self, name: str) -> FakeSwitch:
        return self.switches[name]

    def cut(self, name: str) -> FakeSwitch:
        """Break a switch's connection; return the switch."""
        switch = self.switches.pop(name)
        switch.close()
        wait_until(lambda: name in self.client.health().switches.missing)
        return switch

    def again(self, switch: FakeSwitch) -> FakeSwitch:
        """Let a switch come back with what it holds."""
        name = self.wiring.names[switch.dpid]
        port = self.controller.openflow_port
        self.switches[name] = self._connect(port, switch.dpid, held=switch)
        return self.switches[name]

    def modifications(self) -> list[str]:
        return [what for switch in self.switches.values() for what in switch.modifications]

    def stamp(self, name: str) -> str | None:
        """Return the label that a switch puts on what enters."""
        stamps = [
            action.mac
            for rule in self[name].rules
            if (rule.table, rule.priority) == (ENTRY, PRIORITY_STAMP)
            for action in rule.actions
            if isinstance(action, SetMac)
        ]
        assert len(stamps) <= 1
        return stamps[0] if stamps else None

    def stamps(self) -> set[str | None]:
        """Return the labels that edges put on what enters, as far as they are connected."""
        return {self.stamp(name) for name in self.wiring.edges if name in self.switches}

    def dies(self, span: str, live: bool = False) -> None:
        for name, port in self.wiring.ends(span):
            self[name].port_status(port, live)

    def crosses(self, campus: str) -> bool:
        """Return whether packets from north to south cross another campus."""
        nodes = self.client.routes()["north-w1"]["south-w1"]
        return nodes is not None and f"{campus}-border" in nodes


@pytest.fixture
def network(start: Start, graph: Graph, connect: Connect) -> Network:
    return Network(start(), graph, connect)


def in_background(ask: Callable[[], Changed]) -> tuple[threading.Thread, list[Any]]:
    """Ask on a thread; what comes of it, an error too, is in the list once it has ended."""
    answers: list[Any] = []

    def run() -> None:
        try:
            answers.append(ask())
        except ControllerError as error:
            answers.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, answers


def test_switches_get_their_rules_and_changes_are_confirmed(network: Network, links: Links) -> None:
    border, client = network["north-border"], network.client
    drop = match()
    assert [r.table for r in border.rules if r.match == drop and not r.actions] == [0, 1]
    arp = match(eth_type=0x0806, arp_op=1)
    assert [r.actions for r in border.rules if r.match == arp] == [(Output(To.CONTROLLER),)]
    prober = match(eth_type=ETH_IPV4, ipv4_dst=network.graph.probers("north-south")[1].ip)
    pin = Output(network.graph.spans["north-south"].a_port)
    assert [r.actions for r in border.rules if r.match == prober] == [(pin,)]
    assert network.stamp("north-border") is None, "nothing enters here"
    assert network.stamp("north-leaf1") == label(1)
    assert "delete" not in border.log
    assert border.log[-1] == "barrier"
    assert network.crosses("east")
    assert client.health().version == 1

    assert client.set_links(links).entries == 0
    links["north-south"] = replace(links["north-south"], delay_ns=0)
    changed = client.set_links(links)
    assert (changed.version, changed.entries > 0) == (2, True)
    assert network.stamp("north-leaf1") == label(2)
    assert not network.crosses("east")
    # The old ones stay until their last packets have arrived.
    assert "delete" not in border.log
    wait_until(lambda: {rule.cookie & 0xFFFF for rule in border.rules} == {0, 2})

    client.set_links({span: replace(state, up=False) for span, state in links.items()})
    assert client.routes()["north-w1"]["south-w1"] is None
    assert [r.actions for r in border.rules if r.match == prober] == [(pin,)]
    code, log = network.controller.end()
    assert code == 0
    assert "Traceback" not in log


def test_only_a_barrier_reply_makes_a_switch_ready(
    graph: Graph, links: Links, start: Start, connect: Connect
) -> None:
    controller = start()
    client = controller.client
    *others, last = graph.switches
    switches = [connect(controller.openflow_port, switch.dpid) for switch in others]
    wait_until(lambda: client.health().switches.missing == (last.name,))
    assert client.health().version == 0
    slow = connect(controller.openflow_port, last.dpid)
    slow.hold_barriers = True
    wait_until(lambda: slow.log.count("barrier") == 1 and switches[0].log.count("barrier") == 2)
    wait_until(lambda: client.health().switches.missing == (last.name,))
    assert (client.health().ready, client.health().version) == (False, 0)
    slow.release_barriers()
    client.wait_ready(5)

    slow.hold_barriers = True
    links["north-south"] = replace(links["north-south"], delay_ns=0)
    waiter, answers = in_background(lambda: client.set_links(links))
    seen = len(slow.log)
    wait_until(lambda: len(slow.log) > seen)
    assert not answers
    assert client.health().version == 1
    slow.release_barriers()
    waiter.join(5)
    assert answers[0].version == 2
    assert all(switch.log[-1] == "barrier" for switch in switches)


def test_switches_are_told_all_of_a_version_before_any_is_told_to_use_it(
    network: Network, links: Links
) -> None:
    slow = network["east-border"]
    slow.hold_barriers = True
    links["north-south"] = replace(links["north-south"], delay_ns=0)
    waiter, answers = in_background(lambda: network.client.set_links(links))
    wait_until(lambda: "north-border" not in network.client.health().switches.missing)
    wait_until(lambda: any(rule.cookie & 0xFFFF == 2 for rule in slow.rules))
    assert network.stamps() == {label(1)}
    slow.release_barriers()
    waiter.join(5)
    assert answers[0].version == 2
    assert network.stamps() == {label(2)}


def test_arp_is_answered_out_of_the_port_it_came_from(
    graph: Graph, start: Start, connect: Connect
) -> None:
    controller = start()
    leaf = connect(controller.openflow_port, graph.switches[0].dpid)
    wait_until(lambda: "barrier" in leaf.log)
    asker, target = graph.hosts[0], graph.hosts[-1]
    mac = bytes.fromhex(asker.mac.replace(":", ""))
    header = b"\xff" * 6 + mac + bytes.fromhex("08060001080006040001")
    frame = header + mac + socket.inet_aton(asker.ip) + bytes(6) + socket.inet_aton(target.ip)
    leaf.packet_in(3, frame)
    wait_until(lambda: leaf.packets)
    ((port, answer),) = leaf.packets
    assert port == 3
    assert answer[:6] == mac
    assert answer[22:32] == bytes.fromhex(target.mac.replace(":", "")) + socket.inet_aton(target.ip)


def test_a_switch_that_comes_back_gets_what_it_lacks_and_no_more(network: Network) -> None:
    border = network.cut("north-border")
    kept = dict(border.held)
    lost = border.rules[5]
    del border.held[lost.key], border._raw[lost.key]
    again = network.again(border)
    network.client.wait_ready(5)
    assert again.modifications == ["add"], lost
    assert again.held == kept
    empty = network.cut("north-border")
    empty.held.clear()
    again = network.again(empty)
    network.client.wait_ready(5)
    assert again.held == kept
    assert network.client.health().version == 1


def test_an_update_waits_for_a_switch_that_went_and_is_ended_when_it_is_back(
    network: Network, links: Links
) -> None:
    client = network.client
    network["south-border"].hold_barriers = True
    links["north-south"] = replace(links["north-south"], delay_ns=0)
    waiter, answers = in_background(lambda: client.set_links(links))
    wait_until(lambda: any(rule.cookie & 0xFFFF == 2 for rule in network["north-border"].rules))
    lost = network.cut("south-border")
    waiter.join(10)
    assert isinstance(answers[0], ControllerError)
    assert "not confirmed by south-border" in str(answers[0])
    health = client.health()
    assert (health.ready, health.version, health.switches.missing) == (False, 1, ("south-border",))
    assert network.stamps() == {label(1)}
    network.again(lost)
    client.wait_ready(5)
    assert client.health().version == 2
    assert network.stamps() == {label(2)}


def test_a_second_connection_of_a_switch_takes_over(
    graph: Graph, start: Start, connect: Connect
) -> None:
    controller = start()
    switches = [connect(controller.openflow_port, switch.dpid) for switch in graph.switches]
    controller.client.wait_ready(5)
    twin = connect(controller.openflow_port, switches[0].dpid)
    wait_until(lambda: "barrier" in twin.log)
    switches[0].close()
    controller.client.wait_ready(5)
    time.sleep(0.05)  # time for the first one's end to be noticed
    assert controller.client.health().ready


def test_strangers_and_nonsense_are_survived(graph: Graph, start: Start, connect: Connect) -> None:
    controller = start()
    stranger = connect(controller.openflow_port, 0xBAD)
    garbage = connect(controller.openflow_port, graph.switches[0].dpid)
    wait_until(lambda: "barrier" in garbage.log)
    garbage.packet_in(None, b"from nowhere")  # an event that cannot be handled
    garbage.send_raw(b"\x04\x0a\x00\x09\0\0\0\0\xff")  # a packet-in cut short
    for data in (b"\xff" * 64, b"GET / HTTP/1.1\r\n\r\n", b""):
        with socket.create_connection(("127.0.0.1", controller.openflow_port)) as peer:
            peer.sendall(data)
    for switch in graph.switches:
        connect(controller.openflow_port, switch.dpid)
    controller.client.wait_ready(5)
    assert not stranger.log
    _, log = controller.end()
    assert "ignored a switch with datapath id 0xbad" in log
    assert "an event was not handled" in log


def test_an_event_that_cannot_be_handled_leaves_the_others_to_be_handled(
    network: Network, links: Links
) -> None:
    for _ in range(3):
        network["north-border"].packet_in(None, b"from nowhere")
    links["north-south"] = replace(links["north-south"], delay_ns=0)
    assert network.client.set_links(links).version == 2
    _, log = network.controller.end()
    assert log.count("KeyError") == 3


def test_a_refused_entry_is_shown_and_the_version_in_force_stays(
    network: Network, links: Links
) -> None:
    client, refusing = network.client, network["south-border"]
    refusing.refuse = True
    links["north-south"] = replace(links["north-south"], delay_ns=0)
    with pytest.raises(
        ControllerError, match=r'switch "south-border" refused a rule: .*TABLE_FULL'
    ):
        client.set_links(links)
    health = client.health()
    assert health.version == 1
    assert health.error and "south-border" in health.error
    assert network.stamps() == {label(1)}
    wait_until(lambda: {r.cookie & 0xFFFF for r in network["north-border"].rules} == {0, 1})
    refusing.refuse = False
    links["north-south"] = replace(links["north-south"], delay_ns=1)
    assert client.set_links(links).version == 3
    assert client.health().error is None


def test_a_span_that_dies_is_left_out_until_it_has_been_live_for_a_while(network: Network) -> None:
    assert network.crosses("east")
    network.dies("south-east")
    wait_until(lambda: network.client.health().version == 2)
    assert not network.crosses("east")
    assert not network.client.spans()["south-east"].live
    assert not network.client.spans()["south-east"].used.up
    up_s = time.monotonic()
    network.dies("south-east", live=True)
    wait_until(lambda: network.client.health().version == 3)
    assert time.monotonic() - up_s > HOLD_S
    assert network.crosses("east")
    # One that was switched off and on again on purpose is used at once.
    for up in (False, True):
        network.dies("south-east", live=False)
        told = network.client.spans()["south-east"].told
        change = {"south-east": LinkState(told.rate_bps, told.delay_ns, up=up)}
        asking, answers = in_background(partial(network.client.set_links, change))
        network.dies("south-east", live=up)
        asking.join(5)
        assert isinstance(answers[0], Changed)
    assert network.client.health().version == 5
    assert network.crosses("east")


def test_campuses_that_are_cut_off_are_named(network: Network) -> None:
    assert network.client.health().cut_off == ()
    network.dies("north-south")
    network.dies("north-east")
    wait_until(lambda: network.client.health().cut_off)
    wait_until(lambda: network.client.health().ready)
    assert set(network.client.health().cut_off) == {
        ("north", "south"),
        ("north", "east"),
        ("south", "north"),
        ("east", "north"),
    }


def cables_of(wiring: Wiring) -> dict[tuple[str, int], tuple[str, int]]:
    """Return the far end of every cable between switches, by the near one."""
    return {
        end: (far, wiring.far_port[end])
        for end, far in wiring.far.items()
        if far in wiring.dpids and end[0] in wiring.dpids
    }


def test_probes_that_contradict_what_was_told_are_believed(network: Network) -> None:
    assert network.crosses("east"), "north to south is said to take 10 ms directly"
    plug_together(network.switches, cables_of(network.wiring))
    wait_until(lambda: network.client.health().version == 2)
    wait_until(lambda: not network.crosses("east"))
    report = network.client.spans()["north-south"]
    assert report.told.delay_ns == 10**7
    assert report.used.delay_ns < 5 * 10**6


def test_rules_that_others_change_are_told(network: Network) -> None:
    health = network.client.health()
    assert (health.foreign, health.foreign_changes) == ((), 0), "all that changed were its own"
    network["north-border"].tell_changes(MADE + OWN)
    wait_until(lambda: network.client.health().foreign_changes == 1)
    (told,) = network.client.health().foreign
    assert told.startswith("switch north-border: somebody else made a rule of table 1, priority 5")
    for _ in range(12):
        network["south-border"].tell_changes(OWN + REMOVED)
    wait_until(lambda: network.client.health().foreign_changes == 13)
    assert len(network.client.health().foreign) == 10, "the last ones"
    network.client.set_links({"north-south": LinkState(10**9, 2 * 10**6)})


def test_discovery_frames_show_a_wrong_cable(network: Network) -> None:
    switches, spans, cables = network.switches, network.graph.spans, cables_of(network.wiring)
    network.client.set_links({span: LinkState(10**9, 10**6) for span in spans})
    plug_together(switches, cables)
    wait_until(lambda: network.client.spans()["south-east"].forward.delay_ns is not None)
    health = network.client.health()
    assert (health.ready, health.miswired, health.unseen, health.error) == (True, (), (), None)
    first, second = spans["north-south"], spans["north-east"]
    swapped = {(first.a, first.a_port): (second.b, second.b_port)}
    swapped |= {(second.a, second.a_port): (first.b, first.b_port)}
    plug_together(switches, swapped | {far: end for end, far in swapped.items()})
    wait_until(lambda: len(network.client.health().miswired) == 4)
    health = network.client.health()
    assert not health.ready
    assert health.error and health.error.startswith("mis-wired: ")
    sentence = (
        f"north-border port {first.a_port} (span north-south) should lead to south-border port "
        f"{first.b_port}, but leads to east-border port {second.b_port}"
    )
    assert sentence in health.miswired
    plug_together(switches, cables)
    wait_until(lambda: network.client.health().ready)


def test_a_controller_that_was_killed_goes_on_without_a_single_change(
    network: Network, start: Start, links: Links
) -> None:
    client = network.client
    for delay_ns in (0, 10**7, 0):
        links["north-south"] = LinkState(10**9, delay_ns)
        client.set_links(links)
    version = client.health().version
    assert version == 4
    wait_until(lambda: {r.cookie & 0xFFFF for r in network["north-border"].rules} == {0, 4})
    network.controller.kill()
    network.follow(start(*network.controller.same_ports), **network.switches)
    assert network.modifications() == []
    health = network.client.health()
    assert (health.version, health.in_force_ns) == (4, 0), "in force before it was started"
    links["north-south"] = LinkState(10**9, 10**7)
    assert network.client.set_links(links).version == 5


def test_one_that_was_killed_in_the_middle_of_an_update_ends_it(
    network: Network, start: Start, links: Links
) -> None:
    network["south-border"].hold_barriers = True
    links["north-south"] = replace(links["north-south"], delay_ns=0)
    waiter, _ = in_background(lambda: network.client.set_links(links))
    wait_until(lambda: any(rule.cookie & 0xFFFF == 2 for rule in network["north-border"].rules))
    network.controller.kill()
    waiter.join(10)
    network.follow(start(*network.controller.same_ports), **network.switches)
    assert not network.crosses("east")
    assert network.client.health().version == 3
    wait_until(lambda: {r.cookie & 0xFFFF for r in network["north-border"].rules} == {0, 3})


def test_what_was_asked_for_survives(
    network: Network, start: Start, links: Links, body: Body
) -> None:
    others = [name for name in policies.names() if name != "shortest-delay"]
    for name in others:
        network.client.set_policy(name)
        assert network.client.health().policy == name
    network.client.drain("north-east")
    links["south-east"] = LinkState(10**8, 10**6)
    network.client.set_links(links)
    assert not network.crosses("east")
    before = {name: dict(switch.held) for name, switch in network.switches.items()}
    version = network.client.health().version
    wait_until(lambda: {r.cookie & 0xFFFF for r in network["north-border"].rules} == {0, version})
    before = {name: dict(switch.held) for name, switch in network.switches.items()}
    network.controller.kill()
    network.follow(start(*network.controller.same_ports), **network.switches)
    assert network.modifications() == []
    assert {name: switch.held for name, switch in network.switches.items()} == before
    health = network.client.health()
    assert (health.policy, health.drained) == (others[-1], ("north-east",))
    assert network.client.spans()["south-east"].told.rate_bps == 10**8
    network.client.undrain("north-east")
    network.client.set_policy("shortest-delay")
    assert network.crosses("east")


def test_it_ends_with_sigterm_too(start: Start) -> None:
    controller = start()
    controller.process.send_signal(signal.SIGTERM)
    controller.process.wait(5)
    assert controller.end()[0] == 0
    with pytest.raises(ControllerError):
        controller.client.health()


def test_it_leaves_no_connection_open_that_a_switch_has_left(
    graph: Graph, start: Start, connect: Connect
) -> None:
    controller = start()
    connect(controller.openflow_port, graph.switches[0].dpid)
    wait_until(lambda: len(controller.client.health().switches.missing) == len(graph.switches) - 1)
    folder = Path(f"/proc/{controller.process.pid}/fd")
    before = len([*folder.iterdir()])
    for _ in range(10):
        twin = connect(controller.openflow_port, graph.switches[1].dpid)
        wait_until(lambda twin=twin: "barrier" in twin.log)  # type: ignore[misc]
        twin.close()
    wait_until(lambda: len([*folder.iterdir()]) <= before + 1)


BEFORE_ANY_IS_LOADED = pytest.mark.parametrize("body", ["os-ken"], indirect=True)
"""Of tests that end before the framework is loaded: for one of them is enough."""


@BEFORE_ANY_IS_LOADED
@pytest.mark.parametrize("option", ["--openflow-port", "--channel-port"])
def test_a_port_in_use_is_said_with_what_to_do(option: str, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        controller = start(option, str(port))
        code, message = controller.end()
    assert code == 3
    assert controller.line == ""
    assert message == (
        f"controller: port {port} on 127.0.0.1 is in use; choose another with "
        f"{option}, or leave it out to get a free one\n"
    )


@BEFORE_ANY_IS_LOADED
@pytest.mark.parametrize(
    ("name", "change", "field"),
    [
        ("graph.json", lambda _: "{", ""),
        ("graph.json", lambda _: "[]", ""),
        ("graph.json", lambda _: "{}", "hosts"),
        ("graph.json", lambda _: "\0", ""),
        ("intent.json", lambda _: "{", ""),
        ("intent.json", lambda _: "[]", ""),
        ("intent.json", lambda _: "{}", "policy"),
        ("intent.json", lambda it: it | {"policy": "shortest"}, "policy"),
        ("intent.json", lambda it: it | {"links": {}}, "links.north-south"),
        ("intent.json", lambda it: it | {"drained": ["x"]}, "drained"),
        ("intent.json", lambda it: it | {"more": 1}, "more"),
    ],
)
def test_bad_files_are_said_in_one_line(
    name: str,
    change: Callable[[Any], Any],
    field: str,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = Path.write_text

    def changed(path: Path, text: str) -> int:
        if path.name in (name, f".{name}"):
            new = change(json.loads(text))
            text = new if isinstance(new, str) else json.dumps(new)
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", changed)
    controller = start(other_files=True)
    code, message = controller.end()
    assert code == 2
    assert message.startswith(f"controller: {name}: ")
    assert field in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nox", "SPANLAB_OPENFLOW must be one of os-ken, ryu, not 'nox'"),
        pytest.param(
            "ryu",
            "SPANLAB_OPENFLOW is ryu, which is not installed",
            marks=pytest.mark.skipif(find_spec("ryu") is not None, reason="it is installed here"),
        ),
    ],
)
def test_a_framework_that_is_not_there_is_said(
    name: str, message: str, tmp_path: Path, graph: Graph, links: Links
) -> None:
    controller = ControllerProcess(tmp_path, graph, links, body=Body(name))
    assert controller.end() == (3, f"controller: {message}\n")
