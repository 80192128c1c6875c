"""What the control channel tells of the state; nothing here changes anything."""

from __future__ import annotations

from itertools import permutations

from controller.errors import IntentError
from controller.messages import (
    Crossed,
    FlowRate,
    Health,
    LinkReport,
    Measured,
    PortRate,
    SpanReport,
    Switches,
    Traffic,
    Way,
)
from controller.probes import Seen
from controller.state import State
from topologies.suggest import unknown


class Reports:
    """Answers about a controller's state."""

    def __init__(self, state: State) -> None:
        """Take the state."""
        self._state, self._wiring = state, state.wiring

    def health(self) -> Health:
        """Return whether the switches have their rules, and what is wrong."""
        state = self._state
        missing = state.missing()
        with state.sight() as sight:
            miswired, unseen = sight.miswired(), sight.unseen()
            foreign, foreign_changes = tuple(sight.foreign), sight.foreign_changes
        error = state.error or next((f"mis-wired: {fault}" for fault in miswired), None)
        expected = len(self._wiring.names)
        return Health(
            ready=state.in_force and not miswired,
            switches=Switches(expected=expected, ready=expected - len(missing), missing=missing),
            policy=state.intent.policy,
            version=state.version,
            in_force_ns=int(state.in_force_s * 1e9),
            retiring=state.retiring,
            error=error,
            cut_off=state.cut_off,
            drained=tuple(sorted(state.intent.drained)),
            miswired=miswired,
            unseen=unseen,
            foreign=foreign,
            foreign_changes=foreign_changes,
        )

    def routes(self) -> dict[str, dict[str, tuple[str, ...] | None]]:
        """Return the nodes on the way from each worker to each other one, as most flows go."""
        tables = self._state.tables()
        workers = [host.name for host in self._wiring.graph.workers]
        paths: dict[str, dict[str, tuple[str, ...] | None]] = {source: {} for source in workers}
        for source in workers:
            for target in workers:
                if source != target:
                    trace = tables.trace(source, target)
                    arrived = trace.outcome == "delivered"
                    paths[source][target] = trace.nodes if arrived else None
        return paths

    def crossings(self) -> dict[str, dict[str, Crossed]]:
        """Return worker -> worker -> span -> the share of the flows that cross it, both ways."""
        tables, ends = self._state.tables(), {}
        for span, link in self._wiring.graph.spans.items():
            ends[link.a, link.a_port], ends[link.b, link.b_port] = (span, 0), (span, 1)
        workers = [host.name for host in self._wiring.graph.workers]
        found: dict[str, dict[str, Crossed]] = {source: {} for source in workers}
        for source, target in permutations(workers, 2):
            shares: dict[str, list[float]] = {}
            for trace in tables.traces(source, target):
                for port in trace.ports:
                    if trace.outcome == "delivered" and port in ends:
                        span, way = ends[port]
                        shares.setdefault(span, [0.0, 0.0])[way] += trace.share
            found[source][target] = {span: (a, b) for span, (a, b) in shares.items()}
        return found

    def ways(self, source: str, target: str) -> tuple[Way, ...]:
        """Return every way from one worker to another; raises IntentError."""
        workers = [host.name for host in self._wiring.graph.workers]
        for field, name in (("source", source), ("target", target)):
            if name not in workers:
                raise IntentError(field, unknown("worker", name[:64], workers))
        if source == target:
            raise IntentError("target", f'"{source}" needs no way to itself; name another worker')
        return tuple(
            Way(nodes=trace.nodes, ports=trace.ports, outcome=trace.outcome, share=trace.share)
            for trace in self._state.tables().traces(source, target)
        )

    def spans(self) -> dict[str, SpanReport]:
        """Return every span as told, as used, and as measured."""
        state, intent = self._state, self._state.intent
        used = state.used()
        with state.sight() as sight:
            rates = sight.counters.port_rates()
            seen = {span: sight.seen(span) for span in used}
            lit = {span: sight.lit(span) for span in used}
        reports = {}
        for span, told in intent.links.items():
            forward, backward = map(_measured, seen[span])
            ends = [(self._wiring.dpids[name], port) for name, port in self._wiring.ends(span)]
            sent = [rates[end].tx_bps if end in rates else 0.0 for end in ends]
            reports[span] = SpanReport(
                told=LinkReport.of(told),
                used=LinkReport.of(used[span]),
                live=lit[span],
                drained=span in intent.drained,
                forward=forward,
                backward=backward,
                bps=(sent[0], sent[1]),
            )
        return reports

    def traffic(self) -> Traffic:
        """Return the rates of ports, and of traffic from campus to worker."""
        wiring = self._wiring
        with self._state.sight() as sight:
            port_rates, flow_rates = sight.counters.port_rates(), sight.counters.flow_rates()
        ports = [
            PortRate(
                switch=wiring.names[dpid],
                port=port,
                leads_to=far,
                rx_bps=rate.rx_bps,
                tx_bps=rate.tx_bps,
                drops_per_s=rate.dropped_pps + rate.errors_pps,
            )
            for (dpid, port), rate in port_rates.items()
            if (far := wiring.far.get((wiring.names[dpid], port)))
        ]
        flows = [
            FlowRate(source=source, target=target, bps=rate.bps)
            for (source, target), rate in flow_rates.items()
        ]
        return Traffic(ports=tuple(ports), flows=tuple(flows))


def _measured(seen: Seen) -> Measured:
    loss = seen.loss
    return Measured(
        delay_ns=seen.delay_ns,
        loss=loss.share if loss else None,
        loss_interval=loss.interval if loss else None,
        probes=loss.of if loss else 0,
    )
