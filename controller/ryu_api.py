"""The only module that knows the OpenFlow framework: os-ken, heir of Ryu's API.

Its command line, web server and listening are left out: the application is given a socket that
listens already, so that the port is known before anything is loaded.
"""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any

from os_ken.base.app_manager import AppManager, OSKenApp
from os_ken.cfg import CONF
from os_ken.controller import ofp_event
from os_ken.controller.controller import Datapath
from os_ken.controller.event import EventBase
from os_ken.controller.handler import DEAD_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.controller.ofp_handler import OFPHandler
from os_ken.lib import hub
from os_ken.ofproto import ofproto_v1_3

from controller.app import Application
from controller.rules import Match, Rule, To
from controller.state import Batch

LOG = logging.getLogger("controller")


def serve(listener: socket.socket, application: Application) -> None:
    """Serve OpenFlow 1.3 on a listening socket, on daemon threads; returns at once."""
    CONF(args=[], project="spanlab", default_config_files=[])
    manager = AppManager.get_instance()
    handshake = manager.instantiate(OFPHandler)
    shim = manager.instantiate(_Shim, application)
    application.wake = lambda: shim.send_event(shim.name, _Reroute())

    def run() -> None:
        # Not `handshake.start()`, which would listen by itself.
        OSKenApp.start(handshake)
        shim.start()
        application.wake()
        while True:
            connection, address = listener.accept()
            hub.spawn(_serve_switch, connection, address)

    # The framework's threads inherit being daemons from this one.
    threading.Thread(target=run, name="openflow", daemon=True).start()


def _serve_switch(connection: socket.socket, address: tuple[str, int]) -> None:
    datapath = _Datapath(connection, address)
    try:
        datapath.serve()
    except Exception as error:  # a peer can send anything
        LOG.error("dropped the connection from %s port %d: %r", *address, error)
    finally:
        datapath.close()


class _Datapath(Datapath):
    def _recv_loop(self) -> None:
        """Receive until the switch is gone, then wake the sender up.

        On native threads os-ken's sender sleeps on, the connection is never closed, and nobody
        learns that the switch is gone.
        """
        try:
            super()._recv_loop()
        finally:
            self.set_state(DEAD_DISPATCHER)
            self.send(b"", close_socket=True)


class _Reroute(EventBase):
    """Asks for `Application.reroute` on the event thread."""


class _Switch:
    """An `app.Switch` that is an os-ken datapath."""

    def __init__(self, datapath: Any) -> None:
        self._datapath = datapath
        self.dpid: int = datapath.id

    def send(self, batch: Batch) -> None:
        parser, wire = self._datapath.ofproto_parser, self._datapath.ofproto
        messages = [self._flow_mod(rule, wire.OFPFC_ADD) for rule in batch.adds]
        messages += [self._flow_mod(rule, wire.OFPFC_DELETE_STRICT) for rule in batch.deletes]
        if batch.wipe:
            everything = parser.OFPFlowMod(
                self._datapath,
                command=wire.OFPFC_DELETE,
                table_id=wire.OFPTT_ALL,
                out_port=wire.OFPP_ANY,
                out_group=wire.OFPG_ANY,
            )
            messages.insert(0, everything)
        messages.append(parser.OFPBarrierRequest(self._datapath))
        # One write for all: a table of 10,000 rules would otherwise be 10,000 packets.
        buffer = bytearray()
        for message in messages:
            message.set_xid(batch.xid)
            message.serialize()
            buffer += message.buf
        self._datapath.send(bytes(buffer))

    def send_packet(self, port: int, frame: bytes) -> None:
        parser, wire = self._datapath.ofproto_parser, self._datapath.ofproto
        self._datapath.send_msg(
            parser.OFPPacketOut(
                self._datapath,
                buffer_id=wire.OFP_NO_BUFFER,
                in_port=wire.OFPP_CONTROLLER,
                actions=[parser.OFPActionOutput(port)],
                data=frame,
            )
        )

    def _flow_mod(self, rule: Rule, command: int) -> Any:
        parser, wire = self._datapath.ofproto_parser, self._datapath.ofproto
        actions = []
        if rule.out is To.CONTROLLER:
            actions = [parser.OFPActionOutput(wire.OFPP_CONTROLLER, wire.OFPCML_NO_BUFFER)]
        elif isinstance(rule.out, int):
            actions = [parser.OFPActionOutput(rule.out)]
        apply = parser.OFPInstructionActions(wire.OFPIT_APPLY_ACTIONS, actions)
        return parser.OFPFlowMod(
            self._datapath,
            command=command,
            cookie=rule.cookie,
            priority=rule.priority,
            match=parser.OFPMatch(**_fields(rule.match)),
            instructions=[apply] if actions else [],
            buffer_id=wire.OFP_NO_BUFFER,
            out_port=wire.OFPP_ANY,
            out_group=wire.OFPG_ANY,
        )


def _fields(match: Match) -> dict[str, Any]:
    return {field: value for field, value in vars(match).items() if value is not None}


class _Shim(OSKenApp):
    """Translates os-ken's events into calls of the application, on its one event thread."""

    OFP_VERSIONS = (ofproto_v1_3.OFP_VERSION,)

    def __init__(self, application: Application) -> None:
        super().__init__()
        self._application = application
        self._switches: dict[Any, _Switch] = {}  # by datapath
        self.register_handler(_Reroute, self._reroute)

    @set_ev_cls(ofp_event.EventOFPStateChange, [MAIN_DISPATCHER, DEAD_DISPATCHER])  # type: ignore[untyped-decorator]
    def _state_change(self, event: Any) -> None:
        datapath = event.datapath
        if event.state == MAIN_DISPATCHER:
            self._switches[datapath] = _Switch(datapath)
            self._application.connected(self._switches[datapath])
        elif switch := self._switches.pop(datapath, None):
            self._application.disconnected(switch)

    @set_ev_cls(ofp_event.EventOFPBarrierReply, MAIN_DISPATCHER)  # type: ignore[untyped-decorator]
    def _barrier(self, event: Any) -> None:
        if switch := self._switches.get(event.msg.datapath):
            self._application.confirmed(switch, event.msg.xid)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)  # type: ignore[untyped-decorator]
    def _packet_in(self, event: Any) -> None:
        message = event.msg
        if switch := self._switches.get(message.datapath):
            self._application.packet_in(switch, message.match["in_port"], bytes(message.data))

    @set_ev_cls(ofp_event.EventOFPErrorMsg, MAIN_DISPATCHER)  # type: ignore[untyped-decorator]
    def _error(self, event: Any) -> None:
        message, wire = event.msg, event.msg.datapath.ofproto
        if switch := self._switches.get(message.datapath):
            kind = wire.ofp_error_type_to_str(message.type)
            code = wire.ofp_error_code_to_str(message.type, message.code)
            self._application.refused(switch, message.xid, f"{kind}, {code}")

    def _reroute(self, _event: Any) -> None:
        self._application.reroute()
