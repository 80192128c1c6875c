"""The application: a thin shim that hands events to the state and sends what it decides.

Nothing here depends on the OpenFlow framework, which is `controller.ryu_api`'s affair.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from controller import arp
from controller.links import parse_links
from controller.state import Batch, State
from controller.wiring import Wiring
from topologies.graph import Graph
from topologies.linkstate import LinkState

LOG = logging.getLogger("controller")


class Switch(Protocol):
    """The connection to a switch; a reconnected switch is another object."""

    @property
    def dpid(self) -> int:
        """Its 64-bit datapath id."""

    def send(self, batch: Batch) -> None:
        """Send a batch and its barrier."""

    def send_packet(self, port: int, frame: bytes) -> None:
        """Let the switch emit a frame from a port."""


class Application:
    """Proactive routing by a policy.

    The methods called by the OpenFlow framework run on its one event thread; those called by the
    control channel run on any thread.
    """

    def __init__(self, graph: Graph, policy: str, links: Mapping[str, LinkState]) -> None:
        """Take the graph, the policy's name and the state of every span."""
        self.wiring = Wiring(graph)
        self.state = State(self.wiring, policy, links)
        self.wake: Callable[[], None] = lambda: None
        """Makes the event thread call `reroute`; set by the framework."""
        self._switches: dict[int, Switch] = {}

    # Called by the OpenFlow framework.

    def connected(self, switch: Switch) -> None:
        """A switch has finished its handshake."""
        name = self.wiring.names.get(switch.dpid)
        if name is None:
            LOG.warning("ignored a switch with datapath id %#x: not in the graph", switch.dpid)
            return
        LOG.info("switch %s connected", name)
        self._switches[switch.dpid] = switch
        self._send(self.state.connected(switch.dpid))

    def disconnected(self, switch: Switch) -> None:
        """A connection is gone; it may have been replaced already."""
        if self._switches.get(switch.dpid) is switch:
            LOG.warning("switch %s disconnected", self.wiring.names[switch.dpid])
            del self._switches[switch.dpid]
            self._send(self.state.disconnected(switch.dpid))

    def confirmed(self, switch: Switch, xid: int) -> None:
        """A barrier reply has come."""
        if self._switches.get(switch.dpid) is switch:
            self._send(self.state.confirmed(switch.dpid, xid))

    def refused(self, switch: Switch, xid: int, detail: str) -> None:
        """A switch has answered with an error."""
        if self._switches.get(switch.dpid) is switch:
            LOG.error("switch %s: %s", self.wiring.names[switch.dpid], detail)
            self.state.refused(switch.dpid, xid, detail)

    def packet_in(self, switch: Switch, port: int, frame: bytes) -> None:
        """A switch has sent a frame to the controller."""
        if self._switches.get(switch.dpid) is switch:
            answer = arp.reply(frame, self.wiring.hosts)
            if answer is not None:
                switch.send_packet(port, answer)

    def reroute(self) -> None:
        """Link states have changed, or the policy is to be applied for the first time."""
        self._send(self.state.reroute())

    # Called by the control channel.

    def health(self) -> dict[str, Any]:
        """Return whether the switches have their rules, and what went wrong if anything did."""
        return self.state.health()

    def routes(self) -> dict[str, dict[str, list[str] | None]]:
        """Return the nodes on the way from each worker to each other one; None: does not arrive."""
        tables = self.state.tables()
        workers = [host.name for host in self.wiring.graph.workers]
        paths: dict[str, dict[str, list[str] | None]] = {source: {} for source in workers}
        for source in workers:
            for target in workers:
                if source != target:
                    trace = tables.trace(source, target)
                    arrived = trace.outcome == "delivered"
                    paths[source][target] = list(trace.nodes) if arrived else None
        return paths

    def set_links(self, data: object, timeout_s: float) -> int:
        """Apply changes of link states, wait for the switches, return how many rules changed.

        Raises LinkStateError on bad data; ControllerError when the policy fails, a switch
        refuses, or the switches have not confirmed in time (they are still being told).
        """
        changes = parse_links(data, self.wiring.graph.spans, self.state.links())
        ticket = self.state.request(changes)
        self.wake()
        return self.state.wait(ticket, timeout_s)

    def _send(self, batches: list[Batch]) -> None:
        for batch in batches:
            self._switches[batch.dpid].send(batch)
