"""Rates, from the counters that switches are asked for about once a second. Pure.

Bytes are those of frames, with their Ethernet header. A rate is over the time between the last two
answers. A counter that went backwards, or that is new, has no rate until the next answer: a switch
was restarted, or a rule made anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from controller.wiring import Wiring


class PortCount(NamedTuple):
    """What a port has counted since its switch was started."""

    rx_packets: int = 0
    tx_packets: int = 0
    rx_bytes: int = 0
    tx_bytes: int = 0
    rx_dropped: int = 0
    tx_dropped: int = 0
    rx_errors: int = 0
    tx_errors: int = 0


class FlowCount(NamedTuple):
    """What a rule has counted since it was made."""

    packets: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class PortRate:
    """What goes through a port: bits, packets, and packets that do not, per second."""

    rx_bps: float
    tx_bps: float
    rx_pps: float
    tx_pps: float
    dropped_pps: float
    errors_pps: float


@dataclass(frozen=True)
class FlowRate:
    """What flows: bits and packets per second."""

    bps: float
    pps: float


Flow = tuple[str, str]
"""Source campus and target worker."""

_Key = TypeVar("_Key", int, Flow)
_Count = TypeVar("_Count", PortCount, FlowCount)


@dataclass
class _Counted(Generic[_Key, _Count]):
    """The last answer of one switch, and by how much each counter grew per second before it."""

    counts: Mapping[_Key, _Count]
    at_s: float
    per_second: dict[_Key, list[float]]

    def after(self, counts: Mapping[_Key, _Count], now_s: float) -> _Counted[_Key, _Count]:
        """Return the same for the next answer; one no later than the last changes nothing."""
        elapsed_s = now_s - self.at_s
        if elapsed_s <= 0:
            return self
        per_second = {}
        for key, count in counts.items():
            grown = [new - old for new, old in zip(count, self.counts.get(key, ()), strict=False)]
            if grown and min(grown) >= 0:
                per_second[key] = [growth / elapsed_s for growth in grown]
        return _Counted(dict(counts), now_s, per_second)


class Counters:
    """What was counted last by each switch."""

    def __init__(self, wiring: Wiring) -> None:
        """Take the wiring, for the campus of each worker."""
        self._campus = {host.name: host.campus for host in wiring.graph.hosts}
        self._ports: dict[int, _Counted[int, PortCount]] = {}
        self._flows: dict[int, _Counted[Flow, FlowCount]] = {}

    def ports(self, dpid: int, counts: Mapping[int, PortCount], now_s: float) -> None:
        """Take all ports' counters of a switch, by number."""
        last = self._ports.get(dpid)
        self._ports[dpid] = last.after(counts, now_s) if last else _Counted(dict(counts), now_s, {})

    def flows(self, dpid: int, counts: Mapping[Flow, FlowCount], now_s: float) -> None:
        """Take all flows' counters of a switch: of those that it delivers to its own workers.

        A packet must be counted by one switch only; where it is delivered, what was lost on the
        way is left out.
        """
        last = self._flows.get(dpid)
        self._flows[dpid] = last.after(counts, now_s) if last else _Counted(dict(counts), now_s, {})

    def forget(self, dpid: int) -> None:
        """Forget a switch that is gone, which counts no longer."""
        self._ports.pop(dpid, None)
        self._flows.pop(dpid, None)

    def port_rates(self) -> dict[tuple[int, int], PortRate]:
        """Return the rates of ports by datapath id and number, of those that have any."""
        rates = {}
        for dpid, counted in self._ports.items():
            for port, per_second in counted.per_second.items():
                rx, tx, rx_bytes, tx_bytes, rx_dropped, tx_dropped, *errors = per_second
                rates[dpid, port] = PortRate(
                    rx_bps=8 * rx_bytes,
                    tx_bps=8 * tx_bytes,
                    rx_pps=rx,
                    tx_pps=tx,
                    dropped_pps=rx_dropped + tx_dropped,
                    errors_pps=sum(errors),
                )
        return rates

    def flow_rates(self) -> dict[Flow, FlowRate]:
        """Return the rates of flows by source campus and target worker, of those that have any."""
        totals: dict[Flow, FlowRate] = {}
        for counted in self._flows.values():
            for flow, (packets, octets) in counted.per_second.items():
                before = totals.get(flow, FlowRate(0.0, 0.0))
                totals[flow] = FlowRate(before.bps + 8 * octets, before.pps + packets)
        return totals

    def matrix(self) -> dict[tuple[str, str], float]:
        """Return the bits per second from each campus to each, its own included, where counted."""
        matrix: dict[tuple[str, str], float] = {}
        for (source, worker), rate in self.flow_rates().items():
            pair = source, self._campus[worker]
            matrix[pair] = matrix.get(pair, 0.0) + rate.bps
        return matrix
