"""A sample network, a controller process, and switches that only pretend."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.client import ControllerClient
from controller.links import dump_links
from topologies.graph import Graph, build_graph
from topologies.linkstate import LinkState
from topologies.spec import NetworkSpec

ROOT = Path(__file__).parents[2]
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


@pytest.fixture
def links() -> dict[str, LinkState]:
    """North to south is slower directly than by way of east."""
    return {
        "north-south": LinkState(10**9, 10 * MS),
        "south-east": LinkState(10**9, 2 * MS),
        "north-east": LinkState(10**9, 3 * MS),
    }


class FakeSwitch:
    """Speaks OpenFlow 1.3 to a controller, parsed by os-ken's own classes.

    Attributes:
        table: out port by priority and match fields, as flow-mods and barriers left it.
        log: names of what the controller sent, in order: add, delete, wipe, barrier.
        packets: frames the controller had it emit, with their ports.
        hold_barriers: while set, barrier requests are not answered.
        refuse: while set, every flow-mod is answered with an error.
    """

    def __init__(self, port: int, dpid: int) -> None:
        from os_ken.ofproto import ofproto_v1_3, ofproto_v1_3_parser
        from os_ken.ofproto.ofproto_protocol import ProtocolDesc

        self.wire, self.parser = ofproto_v1_3, ofproto_v1_3_parser
        self.datapath = ProtocolDesc(ofproto_v1_3.OFP_VERSION)
        self.dpid = dpid
        self.table: dict[tuple[int, frozenset[tuple[str, object]]], int | None] = {}
        self.log: list[str] = []
        self.packets: list[tuple[int, bytes]] = []
        self.hold_barriers = self.refuse = False
        self._held: list[int] = []
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._send(self.wire.OFPT_HELLO, 1)
        self._thread.start()

    def close(self) -> None:
        """Break the connection, if the controller has not."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()

    def packet_in(self, port: int, frame: bytes) -> None:
        match = self.parser.OFPMatch(in_port=port)
        encoded = bytearray()
        match.serialize(encoded, 0)
        fixed = struct.pack("!IHBBQ", self.wire.OFP_NO_BUFFER, len(frame), 0, 0, 0)
        self._send(self.wire.OFPT_PACKET_IN, 0, fixed + encoded + b"\0\0" + frame)

    def release_barriers(self) -> None:
        self.hold_barriers = False
        for xid in self._held:
            self._send(self.wire.OFPT_BARRIER_REPLY, xid)
        self._held.clear()

    def send_raw(self, data: bytes) -> None:
        self._socket.sendall(data)

    def _send(self, kind: int, xid: int, body: bytes = b"") -> None:
        self._socket.sendall(struct.pack("!BBHI", 4, kind, 8 + len(body), xid) + body)

    def _run(self) -> None:
        with self._socket.makefile("rb") as stream:
            while header := stream.read(8):
                version, kind, length, xid = struct.unpack("!BBHI", header)
                body = stream.read(length - 8)
                self._handle(version, kind, xid, header + body)

    def _handle(self, version: int, kind: int, xid: int, data: bytes) -> None:
        wire = self.wire
        if kind == wire.OFPT_FEATURES_REQUEST:
            body = struct.pack("!QIBB2xII", self.dpid, 0, 1, 0, 0, 0)
            self._send(wire.OFPT_FEATURES_REPLY, xid, body)
        elif kind == wire.OFPT_MULTIPART_REQUEST:  # port descriptions: none
            body = struct.pack("!HH4x", wire.OFPMP_PORT_DESC, 0)
            self._send(wire.OFPT_MULTIPART_REPLY, xid, body)
        elif kind == wire.OFPT_FLOW_MOD:
            message = self.parser.OFPFlowMod.parser(
                self.datapath, version, kind, len(data), xid, bytearray(data)
            )
            if self.refuse:
                error = struct.pack("!HH", wire.OFPET_FLOW_MOD_FAILED, wire.OFPFMFC_TABLE_FULL)
                self._send(wire.OFPT_ERROR, xid, error + data[:64])
            else:
                self._flow_mod(message)
        elif kind == wire.OFPT_BARRIER_REQUEST:
            self.log.append("barrier")
            if self.hold_barriers:
                self._held.append(xid)
            else:
                self._send(wire.OFPT_BARRIER_REPLY, xid)
        elif kind == wire.OFPT_PACKET_OUT:
            _, _, actions_len = struct.unpack_from("!IIH", data, 8)
            (port,) = struct.unpack_from("!I", data, 24 + 4)
            self.packets.append((port, data[24 + actions_len :]))

    def _flow_mod(self, message: Any) -> None:
        key = (message.priority, frozenset(message.match.items()))
        if message.command == self.wire.OFPFC_ADD:
            actions = [action for item in message.instructions for action in item.actions]
            self.table[key] = actions[0].port if actions else None
            self.log.append("add")
        elif message.command == self.wire.OFPFC_DELETE:
            self.table.clear()
            self.log.append("wipe")
        else:
            assert message.command == self.wire.OFPFC_DELETE_STRICT
            self.table.pop(key, None)
            self.log.append("delete")


class ControllerProcess:
    """``python -m controller`` and its two ports."""

    def __init__(self, folder: Path, graph: Graph, links: dict[str, LinkState], *more: str) -> None:
        folder.joinpath("graph.json").write_text(graph.to_json())
        folder.joinpath("links.json").write_text(json.dumps(dump_links(links)))
        options = {"--graph": "graph.json", "--policy": "shortest-delay", "--links": "links.json"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "controller", *sum(options.items(), ()), *more],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._log: str | None = None
        assert self.process.stdout
        self.line = self.process.stdout.readline()
        if self.line:
            ports = json.loads(self.line)
            self.openflow_port, self.channel_port = ports["openflow_port"], ports["channel_port"]
            self.client = ControllerClient(self.channel_port)

    def end(self) -> tuple[int, str]:
        """Close its standard input; return its exit code and what it logged."""
        if self._log is None:
            _, self._log = self.process.communicate(timeout=10)
        return self.process.returncode, self._log


@pytest.fixture
def start(
    tmp_path: Path, graph: Graph, links: dict[str, LinkState]
) -> Iterator[Callable[..., ControllerProcess]]:
    """Start controllers for the sample network; they end with the test."""
    started: list[ControllerProcess] = []

    def start(*more: str) -> ControllerProcess:
        started.append(ControllerProcess(tmp_path, graph, links, *more))
        return started[-1]

    yield start
    for controller in started:
        controller.end()


@pytest.fixture
def connect() -> Iterator[Callable[[int, int], FakeSwitch]]:
    """Connect fake switches; they go with the test."""
    switches: list[FakeSwitch] = []

    def connect(port: int, dpid: int) -> FakeSwitch:
        switches.append(FakeSwitch(port, dpid))
        return switches[-1]

    yield connect
    for switch in switches:
        switch.close()
