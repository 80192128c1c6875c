"""The controller process, spoken to in OpenFlow by switches that only pretend."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.errors import ControllerError
from topologies.graph import Graph
from topologies.linkstate import LinkState

Start = Callable[..., Any]
Connect = Callable[[int, int], Any]


def wait_until(condition: Callable[[], Any], timeout_s: float = 5.0) -> None:
    """Poll a condition to a deadline."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def key(priority: int, **match: object) -> tuple[int, frozenset[tuple[str, object]]]:
    return priority, frozenset(match.items())


def test_switches_get_their_rules_and_changes_are_confirmed(
    graph: Graph, links: dict[str, LinkState], start: Start, connect: Connect
) -> None:
    controller = start()
    switches = {s.name: connect(controller.openflow_port, s.dpid) for s in graph.switches}
    controller.client.wait_ready(5)
    border = switches["north-border"]
    assert border.table[key(0)] is None
    assert border.table[key(300, eth_type=0x0806, arp_op=1)] == border.wire.OFPP_CONTROLLER
    south = key(100, eth_type=0x0800, ipv4_dst="10.2.0.1")
    assert border.table[south] == graph.spans["north-east"].a_port
    prober = key(200, eth_type=0x0800, ipv4_dst=graph.probers("north-south")[1].ip)
    assert border.table[prober] == graph.spans["north-south"].a_port
    assert border.log[0] == "wipe"
    assert border.log[-1] == "barrier"
    routes = controller.client.routes()
    assert "east-border" in routes["north-w1"]["south-w1"]

    assert controller.client.set_links(links) == 0
    links["north-south"] = replace(links["north-south"], delay_ns=0)
    assert controller.client.set_links(links) > 0
    assert border.table[south] == graph.spans["north-south"].a_port
    assert "east-border" not in controller.client.routes()["north-w1"]["south-w1"]

    down = {span: replace(state, up=False) for span, state in links.items()}
    controller.client.set_links(down)
    assert south not in border.table
    assert border.table[prober] == graph.spans["north-south"].a_port
    assert controller.client.routes()["north-w1"]["south-w1"] is None
    code, log = controller.end()
    assert code == 0
    assert "Traceback" not in log


def test_only_a_barrier_reply_makes_a_switch_ready(
    graph: Graph, links: dict[str, LinkState], start: Start, connect: Connect
) -> None:
    controller = start()
    *others, last = graph.switches
    switches = [connect(controller.openflow_port, switch.dpid) for switch in others]
    wait_until(lambda: controller.client.health().missing == (last.name,))
    slow = connect(controller.openflow_port, last.dpid)
    slow.hold_barriers = True
    wait_until(lambda: "barrier" in slow.log)
    assert controller.client.health().missing == (last.name,)
    slow.release_barriers()
    controller.client.wait_ready(5)

    slow.hold_barriers = True
    changed: list[int] = []
    links["north-south"] = replace(links["north-south"], delay_ns=0)
    waiter = threading.Thread(target=lambda: changed.append(controller.client.set_links(links)))
    waiter.start()
    seen = len(slow.log)
    wait_until(lambda: len(slow.log) > seen)
    assert not changed
    slow.release_barriers()
    waiter.join(5)
    assert changed[0] > 0
    assert all(switch.log[-1] == "barrier" for switch in switches)


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


def test_a_reconnecting_switch_is_missed_and_gets_its_rules_anew_without_a_wipe(
    graph: Graph, links: dict[str, LinkState], start: Start, connect: Connect
) -> None:
    controller = start()
    switches = {s.name: connect(controller.openflow_port, s.dpid) for s in graph.switches}
    controller.client.wait_ready(5)
    border = switches["north-border"]
    stale = {key: out for key, out in border.table.items() if key[0] == 100}
    border.close()
    wait_until(lambda: controller.client.health().missing == ("north-border",))
    # Meanwhile all spans fail, so that most of its rules are to go.
    controller.client.set_links({span: replace(s, up=False) for span, s in links.items()})
    again = connect(controller.openflow_port, border.dpid)
    again.table.update(border.table)
    controller.client.wait_ready(5)
    assert "wipe" not in again.log
    assert again.log.index("delete") > again.log.index("add")
    kept = {key for key in again.table if key[0] == 100}
    assert kept < stale.keys()
    assert len(kept) == 2  # the workers of its own campus


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
    garbage.send_raw(b"\x04\x0a\x00\x09\0\0\0\0\xff")  # a packet-in cut short
    for switch in graph.switches:
        connect(controller.openflow_port, switch.dpid)
    controller.client.wait_ready(5)
    assert not stranger.log
    _, log = controller.end()
    assert "ignored a switch with datapath id 0xbad" in log


def test_a_refused_rule_is_shown(
    graph: Graph, links: dict[str, LinkState], start: Start, connect: Connect
) -> None:
    controller = start()
    switches = [connect(controller.openflow_port, switch.dpid) for switch in graph.switches]
    controller.client.wait_ready(5)
    for switch in switches:
        switch.refuse = True
    links["north-south"] = replace(links["north-south"], delay_ns=0)
    with pytest.raises(ControllerError, match=r'switch ".*" refused a rule: .*TABLE_FULL'):
        controller.client.set_links(links)


def test_a_port_in_use_is_said_with_what_to_do(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        controller = start("--openflow-port", str(port))
        code, message = controller.end()
    assert code == 3
    assert controller.line == ""
    assert message == (
        f"controller: port {port} on 127.0.0.1 is in use; choose another with "
        "--openflow-port, or leave it out to get a free one\n"
    )


@pytest.mark.parametrize("name", ["graph.json", "links.json"])
@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"north-south": {}}', "\0"])
def test_bad_files_are_said_in_one_line(
    name: str, text: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_text
    monkeypatch.setattr(
        Path, "write_text", lambda path, data: write(path, text if path.name == name else data)
    )
    controller = start()
    code, message = controller.end()
    assert code == 2
    assert message.startswith(f"controller: {name}: ")
    assert message.count("\n") == 1


def test_it_ends_with_sigterm_too(start: Start) -> None:
    controller = start()
    controller.process.send_signal(signal.SIGTERM)
    controller.process.wait(5)
    assert controller.end()[0] == 0
    with pytest.raises(ControllerError):
        controller.client.health()
