"""What a scenario asks of a machine beside what was seen to be emulated faithfully. Pure."""

from __future__ import annotations

from experiments.bounds import Bounds
from experiments.scenario import Scenario
from experiments.twin import Twin
from topologies.units import render

_KEYS = {
    "campuses": "network.campuses",
    "hosts": "network.campuses.*.workers",
    "spans": "network.spans",
    "ranks": "network.campuses.*.workers",
}


def counts_of(scenario: Scenario, twin: Twin) -> dict[str, int]:
    """Return how many campuses, hosts, spans and ranks a scenario asks for."""
    return {
        "campuses": len(scenario.network.campuses),
        "hosts": len(twin.graph.hosts),
        "spans": len(twin.graph.spans),
        "ranks": len(twin.graph.workers),
    }


def traffic_of(scenario: Scenario, twin: Twin) -> int | None:
    """Return what all workers send at full rate (bit/s), times the switches that it passes.

    None where what the strategy sends is not known.
    """
    # They bring numpy and networkx, which take longer to load than all else that is asked here.
    from experiments.autoscale import switched_bps
    from experiments.exchanges import exchanges_of
    from experiments.planner.crossings import crossings_of

    chosen = scenario.workload.strategy
    try:
        exchanges = exchanges_of(twin, chosen.name, chosen.options)
    except ValueError:
        return None
    routes = crossings_of(twin.graph, scenario.controller.policy, twin.initial, twin.demands)
    return switched_bps(twin, exchanges, routes)


def beyond(scenario: Scenario, twin: Twin, bounds: Bounds) -> list[str]:
    """Return a sentence on each limit that a scenario is beyond: asked, seen, what to do."""
    said = []
    asked = counts_of(scenario, twin)
    for bound in bounds.counts:
        if asked[bound.name] > bound.faithful:
            failed = f", with {bound.beyond} not" if bound.beyond else ""
            said.append(
                f"{_KEYS[bound.name]}: {asked[bound.name]} {bound.name} are asked for; runs were "
                f"faithful with up to {bound.faithful}{failed} ({bounds.where}); take "
                f"{bound.faithful} or fewer, or let the verdict decide: ./spanlab run FILE --strict"
            )
    most = bounds.switched_bps(scenario.network.mtu)
    traffic = traffic_of(scenario, twin) if most else None
    if most and traffic and traffic > most:
        said.append(
            f"emulate: all workers together ask {render(traffic, 'rate')} of the switches; runs "
            f"were faithful with up to {render(most, 'rate')} on switches like this machine's; "
            "state no emulate.bytes, or "
            f"{most / traffic:.2g} of it"
        )
    return said
