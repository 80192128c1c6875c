"""Between the OpenFlow framework and the application: Ryu's API, whichever body it has.

The framework's command line, web server and listening are left out: the application is given a
socket that listens already, so that the port is known before anything is loaded.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from controller.app import Application
from controller.body import (
    CONF,
    DEAD_DISPATCHER,
    MAIN_DISPATCHER,
    App,
    AppManager,
    Datapath,
    EventBase,
    OFPHandler,
    cooperative,
    hub,
    ofp_event,
    ofproto,
    set_ev_cls,
)
from controller.counters import FlowCount, PortCount
from controller.foreign import foreign_changes, monitoring
from controller.label import COOKIE_DELIVER
from controller.openflow import decode_group, decode_meter, decode_rule, encode
from controller.rollout import Batch
from controller.rules import Entry

LOG = logging.getLogger("controller")
TICK_S = 0.1


def serve(listener: socket.socket, application: Application) -> None:
    """Serve OpenFlow 1.3 on a listening socket, on daemon threads; returns at once."""
    CONF(args=[], project="spanlab", default_config_files=[])
    heard, call = socket.socketpair()
    application.wake = lambda: call.sendall(b".")

    def run() -> None:
        manager = AppManager.get_instance()
        handshake = manager.instantiate(OFPHandler)
        shim = manager.instantiate(_Shim, application)
        # Not `handshake.start()`, which would listen by itself.
        App.start(handshake)
        shim.start()
        hearing, accepting = cooperative(heard), cooperative(listener)
        hub.spawn(_tell, shim, lambda: hearing.recv(4096), _Asked)
        hub.spawn(_tell, shim, lambda: hub.sleep(TICK_S) or True, _Tick)
        while True:
            connection, address = accepting.accept()
            hub.spawn(_serve_switch, connection, address)

    # The framework's threads inherit being daemons from this one.
    threading.Thread(target=run, name="openflow", daemon=True).start()


def _tell(shim: Any, wait: Callable[[], object], event: Callable[[], Any]) -> None:
    while wait():
        shim.send_event(shim.name, event())


def _serve_switch(connection: Any, address: tuple[str, int]) -> None:
    datapath = _Datapath(connection, address)
    try:
        datapath.serve()
    except Exception as error:  # a peer can send anything
        LOG.error("dropped the connection from %s port %d: %r", *address, error)
    finally:
        datapath.close()
        connection.close()


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


class _Asked(EventBase):
    """Somebody has asked for something: calls `Application.asked` on the event thread."""


class _Tick(EventBase):
    """Time has passed."""


class _Switch:
    """An `app.Switch`, which first reads what the switch holds."""

    def __init__(self, datapath: Any) -> None:
        self.datapath = datapath
        self.dpid: int = datapath.id
        self.found: list[Entry] = []
        self.unread = {"flow", "group", "meter"}

    def read(self) -> None:
        """Ask for all that the switch holds, and to be told what others change from now on."""
        parser = self.datapath.ofproto_parser
        self.datapath.send_msg(monitoring(self.datapath))
        self.datapath.send_msg(parser.OFPFlowStatsRequest(self.datapath))
        self.datapath.send_msg(parser.OFPGroupDescStatsRequest(self.datapath, 0))
        self.datapath.send_msg(parser.OFPMeterConfigStatsRequest(self.datapath, 0))

    def send(self, batch: Batch) -> None:
        self.datapath.send(encode(self.datapath, batch))

    def send_packet(self, port: int, frame: bytes) -> None:
        parser, wire = self.datapath.ofproto_parser, self.datapath.ofproto
        self.datapath.send_msg(
            parser.OFPPacketOut(
                self.datapath,
                buffer_id=wire.OFP_NO_BUFFER,
                in_port=wire.OFPP_CONTROLLER,
                actions=[parser.OFPActionOutput(port)],
                data=frame,
            )
        )

    def count(self) -> None:
        parser, wire = self.datapath.ofproto_parser, self.datapath.ofproto
        self.datapath.send_msg(parser.OFPPortStatsRequest(self.datapath, 0, wire.OFPP_ANY))
        delivered = parser.OFPFlowStatsRequest(
            self.datapath, 0, 0, wire.OFPP_ANY, wire.OFPG_ANY, COOKIE_DELIVER, 2**64 - 1
        )
        self.datapath.send_msg(delivered)

    def live_ports(self) -> dict[int, bool]:
        return {port.port_no: self.is_live(port) for port in self.datapath.ports.values()}

    def is_live(self, port: Any) -> bool:
        wire = self.datapath.ofproto
        return not (port.state & wire.OFPPS_LINK_DOWN or port.config & wire.OFPPC_PORT_DOWN)


def _guarded(handler: Callable[..., None]) -> Callable[..., None]:
    """Log what a handler raises: os-ken's event thread would end at it, and say nothing."""

    @wraps(handler)
    def guarded(*arguments: Any) -> None:
        try:
            handler(*arguments)
        except Exception:
            LOG.exception("an event was not handled")

    return guarded


def _handles(event: Any, states: Any) -> Callable[[Callable[..., None]], Any]:
    """Register a method for an OpenFlow event of switches in these states."""
    return lambda handler: set_ev_cls(event, states)(_guarded(handler))


class _Shim(App):
    """Translates the framework's events into calls of the application, on its one event thread."""

    OFP_VERSIONS = (ofproto.OFP_VERSION,)

    def __init__(self, application: Application) -> None:
        super().__init__()
        self._application = application
        self._switches: dict[Any, _Switch] = {}  # by datapath
        self.register_handler(_Asked, _guarded(lambda _: application.asked(time.monotonic())))
        self.register_handler(_Tick, _guarded(lambda _: application.tick(time.monotonic())))

    @_handles(ofp_event.EventOFPStateChange, [MAIN_DISPATCHER, DEAD_DISPATCHER])
    def _state_change(self, event: Any) -> None:
        datapath = event.datapath
        if event.state == MAIN_DISPATCHER:
            self._switches[datapath] = _Switch(datapath)
            self._switches[datapath].read()
        elif switch := self._switches.pop(datapath, None):
            self._application.disconnected(switch, time.monotonic())

    @_handles(ofp_event.EventOFPFlowStatsReply, MAIN_DISPATCHER)
    def _flows(self, event: Any) -> None:
        switch = self._switches.get(event.msg.datapath)
        if switch and "flow" in switch.unread:
            self._read(switch, event.msg, "flow", decode_rule)
        elif switch:
            counts = {
                (found.match["ipv4_src"], found.match["ipv4_dst"]): FlowCount(
                    found.packet_count, found.byte_count
                )
                for found in event.msg.body
                if found.cookie == COOKIE_DELIVER
            }
            self._application.counted_flows(switch, counts, time.monotonic())

    @_handles(ofp_event.EventOFPExperimenterStatsReply, MAIN_DISPATCHER)
    def _monitored(self, event: Any) -> None:
        if switch := self._switches.get(event.msg.datapath):
            changes = list(foreign_changes(event.msg.datapath, event.msg.body))
            self._application.changed_by_others(switch, changes)

    @_handles(ofp_event.EventOFPGroupDescStatsReply, MAIN_DISPATCHER)
    def _groups(self, event: Any) -> None:
        if switch := self._switches.get(event.msg.datapath):
            self._read(switch, event.msg, "group", decode_group)

    @_handles(ofp_event.EventOFPMeterConfigStatsReply, MAIN_DISPATCHER)
    def _meters(self, event: Any) -> None:
        if switch := self._switches.get(event.msg.datapath):
            self._read(switch, event.msg, "meter", decode_meter)

    def _read(
        self, switch: _Switch, message: Any, kind: str, decode: Callable[[Any, Any], Entry]
    ) -> None:
        """Collect what a switch holds; once it is all, the switch counts as connected."""
        switch.found += [decode(message.datapath, found) for found in message.body]
        if message.flags & ofproto.OFPMPF_REPLY_MORE:
            return
        switch.unread.discard(kind)
        if not switch.unread:
            ports = switch.live_ports()
            self._application.connected(switch, switch.found, ports, time.monotonic())

    @_handles(ofp_event.EventOFPPortStatsReply, MAIN_DISPATCHER)
    def _ports(self, event: Any) -> None:
        if switch := self._switches.get(event.msg.datapath):
            counts = {
                found.port_no: PortCount(
                    *(getattr(found, name) for name in PortCount._fields)  # OpenFlow's own names
                )
                for found in event.msg.body
            }
            self._application.counted_ports(switch, counts, time.monotonic())

    @_handles(ofp_event.EventOFPPortStatus, MAIN_DISPATCHER)
    def _port_status(self, event: Any) -> None:
        message = event.msg
        if switch := self._switches.get(message.datapath):
            live = message.reason != ofproto.OFPPR_DELETE and switch.is_live(message.desc)
            port = message.desc.port_no
            self._application.port_changed(switch, port, live, time.monotonic())

    @_handles(ofp_event.EventOFPBarrierReply, MAIN_DISPATCHER)
    def _barrier(self, event: Any) -> None:
        if switch := self._switches.get(event.msg.datapath):
            self._application.confirmed(switch, event.msg.xid, time.monotonic())

    @_handles(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def _packet_in(self, event: Any) -> None:
        message = event.msg
        if switch := self._switches.get(message.datapath):
            port = message.match["in_port"]
            self._application.packet_in(switch, port, bytes(message.data), time.monotonic_ns())

    @_handles(ofp_event.EventOFPErrorMsg, MAIN_DISPATCHER)
    def _error(self, event: Any) -> None:
        message, wire = event.msg, event.msg.datapath.ofproto
        if switch := self._switches.get(message.datapath):
            kind = wire.ofp_error_type_to_str(message.type)
            code = wire.ofp_error_code_to_str(message.type, message.code)
            self._application.refused(switch, message.xid, f"{kind}, {code}")
