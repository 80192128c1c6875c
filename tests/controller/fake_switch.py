"""Switches that only pretend: they speak OpenFlow 1.3 over a socket and keep what they are told."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from controller import lldp
from controller.foreign import EXPERIMENTER, FLOW_MONITOR
from controller.openflow import ORDER_ONLY, decode_group, decode_meter, decode_rule
from controller.rules import Entry, Group, Key, Meter, Rule


class FakeSwitch:
    """A connection to a controller, parsed by os-ken's own classes.

    Attributes:
        held: entries by key, as modifications left them.
        log: names of what the controller sent, in order: add, delete, barrier.
        packets: frames the controller had it emit, with their ports; discovery left out.
        peers: where frames emitted from a port arrive, by port.
        hold_barriers: while set, barrier requests are not answered.
        refuse: while set, whatever is to be made is answered with an error.
    """

    def __init__(
        self,
        port: int,
        dpid: int,
        held: FakeSwitch | None = None,
        ports: Mapping[int, bool] | None = None,
    ) -> None:
        """Connect, with what another holds, and say of some ports whether they are live."""
        from os_ken.ofproto import ofproto_v1_3, ofproto_v1_3_parser
        from os_ken.ofproto.ofproto_protocol import ProtocolDesc

        self.wire, self.parser = ofproto_v1_3, ofproto_v1_3_parser
        self.datapath = ProtocolDesc(ofproto_v1_3.OFP_VERSION)
        self.dpid = dpid
        self.held: dict[Key, Entry] = dict(held.held) if held else {}
        self._raw: dict[Key, bytes] = dict(held._raw) if held else {}
        self.log: list[str] = []
        self.packets: list[tuple[int, bytes]] = []
        self.peers: dict[int, tuple[FakeSwitch, int]] = {}
        self.hold_barriers = self.refuse = False
        self._ports = dict(ports or {})
        self._held: list[int] = []
        self._sending = threading.Lock()
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._send(self.wire.OFPT_HELLO, 1)
        self._thread.start()

    @property
    def rules(self) -> list[Rule]:
        return [entry for entry in [*self.held.values()] if isinstance(entry, Rule)]

    @property
    def modifications(self) -> list[str]:
        return [what for what in self.log if what != "barrier"]

    def close(self) -> None:
        """Break the connection, if the controller has not."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()

    def packet_in(self, port: int | None, frame: bytes) -> None:
        """Hand a frame to the controller; without a port, as no switch should."""
        match = self.parser.OFPMatch(**({} if port is None else {"in_port": port}))
        encoded = bytearray()
        match.serialize(encoded, 0)
        fixed = struct.pack("!IHBBQ", self.wire.OFP_NO_BUFFER, len(frame), 0, 0, 0)
        self._send(self.wire.OFPT_PACKET_IN, 0, fixed + encoded + b"\0\0" + frame)

    def port_status(self, port: int, live: bool) -> None:
        described = self._described_port(port, live)
        self._send(
            self.wire.OFPT_PORT_STATUS,
            0,
            struct.pack("!B7x", self.wire.OFPPR_MODIFY) + described,
        )

    def tell_changes(self, told: bytes) -> None:
        """Tell of changes to what is held, in the words of flow monitoring."""
        header = struct.pack("!HH4xII", self.wire.OFPMP_EXPERIMENTER, 0, EXPERIMENTER, FLOW_MONITOR)
        self._send(self.wire.OFPT_MULTIPART_REPLY, 0, header + told)

    def _described_port(self, port: int, live: bool) -> bytes:
        state = 0 if live else self.wire.OFPPS_LINK_DOWN
        name = f"p{port}".encode().ljust(16, b"\0")
        return struct.pack("!I4x6s2x16sII24x", port, bytes(6), name, 0, state)

    def release_barriers(self) -> None:
        self.hold_barriers = False
        for xid in self._held:
            self._send(self.wire.OFPT_BARRIER_REPLY, xid)
        self._held.clear()

    def send_raw(self, data: bytes) -> None:
        with self._sending:
            self._socket.sendall(data)

    def _send(self, kind: int, xid: int, body: bytes = b"") -> None:
        self.send_raw(struct.pack("!BBHI", 4, kind, 8 + len(body), xid) + body)

    def _run(self) -> None:
        with self._socket.makefile("rb") as stream, contextlib.suppress(OSError):
            while len(header := stream.read(8)) == 8:
                version, kind, length, xid = struct.unpack("!BBHI", header)
                body = stream.read(length - 8)
                if len(body) == length - 8:
                    self._handle(version, kind, xid, header + body)

    def _handle(self, version: int, kind: int, xid: int, data: bytes) -> None:
        wire = self.wire
        modifications = wire.OFPT_FLOW_MOD, wire.OFPT_GROUP_MOD, wire.OFPT_METER_MOD
        if kind == wire.OFPT_FEATURES_REQUEST:
            body = struct.pack("!QIBB2xII", self.dpid, 0, 1, 0, 0, 0)
            self._send(wire.OFPT_FEATURES_REPLY, xid, body)
        elif kind == wire.OFPT_MULTIPART_REQUEST:
            self._report(xid, data)
        elif kind in modifications:
            self._modify(version, kind, xid, data)
        elif kind == wire.OFPT_BARRIER_REQUEST:
            if not xid & ORDER_ONLY:
                self.log.append("barrier")
            if self.hold_barriers:
                self._held.append(xid)
            else:
                self._send(wire.OFPT_BARRIER_REPLY, xid)
        elif kind == wire.OFPT_PACKET_OUT:
            _, _, actions_len = struct.unpack_from("!IIH", data, 8)
            (port,) = struct.unpack_from("!I", data, 24 + 4)
            self._emit(port, data[24 + actions_len :])

    def _emit(self, port: int, frame: bytes) -> None:
        if lldp.parse(frame) is None:
            self.packets.append((port, frame))
        if port in self.peers:
            peer, peer_port = self.peers[port]
            with contextlib.suppress(OSError):
                peer.packet_in(peer_port, frame)

    def _report(self, xid: int, data: bytes) -> None:
        """Answer a question for what is held; nothing is ever counted."""
        wire = self.wire
        (kind,) = struct.unpack_from("!H", data, 8)
        entries = [(entry, self._raw[key]) for key, entry in self.held.items()]
        found: list[bytes] = []
        if kind == wire.OFPMP_FLOW:
            cookie, mask = struct.unpack_from("!QQ", data, 16 + 16)
            for entry, raw in entries:
                if isinstance(entry, Rule) and entry.cookie & mask == cookie & mask:
                    fixed = len(raw), entry.table, 0, 0, entry.priority, 0, 0, 0, entry.cookie, 0, 0
                    found.append(struct.pack("!HBxIIHHHH4xQQQ", *fixed) + raw[48:])
        elif kind == wire.OFPMP_PORT_DESC:
            found += [self._described_port(*port) for port in self._ports.items()]
        elif kind == wire.OFPMP_EXPERIMENTER:
            found.append(data[16:24])  # monitors nothing so far, as Open vSwitch says
        shapes = {wire.OFPMP_GROUP_DESC: Group, wire.OFPMP_METER_CONFIG: Meter}
        for entry, raw in entries:
            if kind in shapes and isinstance(entry, shapes[kind]):
                found.append(_as_reported(raw))
        # In parts, each with the word that more are to come but the last.
        parts = [found[i : i + 50] for i in range(0, len(found), 50)] or [[]]
        for index, part in enumerate(parts):
            more = wire.OFPMPF_REPLY_MORE if index < len(parts) - 1 else 0
            body = struct.pack("!HH4x", kind, more) + b"".join(part)
            self._send(wire.OFPT_MULTIPART_REPLY, xid, body)

    def _modify(self, version: int, kind: int, xid: int, raw: bytes) -> None:
        wire, parser = self.wire, self.parser
        (command,) = struct.unpack_from("!H", raw, 8)
        if kind == wire.OFPT_FLOW_MOD:
            message = parser.OFPFlowMod.parser(
                self.datapath, version, kind, len(raw), xid, bytearray(raw)
            )
            entry: Entry = decode_rule(self._described, message)
            delete = message.command == wire.OFPFC_DELETE_STRICT
        elif kind == wire.OFPT_GROUP_MOD:
            group = parser.OFPGroupDescStats.parser(_as_reported(raw), 0)
            entry = decode_group(self._described, group)
            delete = command == wire.OFPGC_DELETE
        else:
            meter = parser.OFPMeterConfigStats.parser(_as_reported(raw), 0)
            entry = decode_meter(self._described, meter)
            delete = command == wire.OFPMC_DELETE
        if self.refuse and not delete:
            error = struct.pack("!HH", wire.OFPET_FLOW_MOD_FAILED, wire.OFPFMFC_TABLE_FULL)
            self._send(wire.OFPT_ERROR, xid, error + raw[:64])
            return
        self.log.append("delete" if delete else "add")
        if delete:
            self.held.pop(entry.key, None)
            self._raw.pop(entry.key, None)
        else:
            self.held[entry.key], self._raw[entry.key] = entry, raw

    @property
    def _described(self) -> Any:
        return SimpleNamespace(id=self.dpid, ofproto=self.wire)


def _as_reported(raw: bytes) -> bytes:
    """Return a group or meter as a switch describes it, from the message that made it."""
    return struct.pack("!H", len(raw) - 8) + raw[10:]


def plug_together(switches: Mapping[str, FakeSwitch], cables: Mapping[Any, Any]) -> None:
    """Let frames cross cables: ``(switch, port)`` by ``(switch, port)``, both ways."""
    for (name, port), (far, far_port) in cables.items():
        switches[name].peers[port] = switches[far], far_port
