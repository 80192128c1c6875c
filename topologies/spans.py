"""From a span's specification to the link state it has before and after each upgrade."""

from __future__ import annotations

from topologies.ageing.conditions import OPTICS, plant_of
from topologies.ageing.delay import GLASS_NS_PER_KM, one_way_ns
from topologies.ageing.optics import draw_wear, frame_loss
from topologies.ageing.plant import Plant
from topologies.errors import NetworkError, PhysicsError
from topologies.linkstate import Duplex, LinkState, Loss
from topologies.spec import FabricSpec, SpanSpec
from topologies.upgrades.catalogue import upgraded


def plant_state(plant: Plant, span: str, seed: int, mtu: int) -> LinkState:
    """Return what a plant does to packets; raises PhysicsError where it cannot work."""
    loss = frame_loss(plant, draw_wear(plant, seed, span), mtu)
    return LinkState(
        rate_bps=OPTICS[plant.optics].rate,
        delay_ns=one_way_ns(plant),
        loss=Loss(loss),
        mtu=mtu,
    )


def span_states(
    name: str, spec: SpanSpec, upgrades: list[str], seed: int, mtu: int
) -> list[Duplex]:
    """Return the real-scale state of a span as it is and after each of its upgrades in turn.

    What the file states of the link beside its condition is gone with the first upgrade. Raises
    PhysicsError naming the span when a state cannot work, NetworkError when one contradicts itself.
    """
    try:
        if spec.condition:
            plant = plant_of(spec.condition, spec.route or 0, spec.age)
            state = plant_state(plant, name, seed, mtu)
        else:
            plant = Plant(route_m=spec.route or 0, age_ns=0, optics="", new_fibre=True)
            assert spec.rate is not None, "the specification demands it"
            state = LinkState(spec.rate, (spec.route or 0) * GLASS_NS_PER_KM // 1000, mtu=mtu)
        states = [stated(spec, state)]
        for upgrade in upgrades:
            if spec.route is None:
                raise PhysicsError(f"{upgrade}: the span states no route to upgrade along")
            plant = upgraded(plant, upgrade)
            states.append(Duplex.both(plant_state(plant, name, seed, mtu)))
    except NetworkError as error:
        raise type(error)(f"network.spans.{name}: {error}") from None
    return states


def stated(spec: SpanSpec, state: LinkState) -> Duplex:
    """Return a span in a state changed by what its specification says of both ways and of each."""
    both = spec.on(state)
    ways = [way.on(both) if way else both for way in (spec.forward, spec.backward)]
    return Duplex(*ways)


def traced(spec: SpanSpec, start: Duplex) -> list[tuple[int, Duplex]]:
    """Return the states of a span's trace by their offset in ns; each builds on the one before."""
    trace = []
    for change in spec.trace or ():
        start = Duplex(*(change.on(state) for state in start.ways))
        trace.append((change.after, start))
    return trace


def campus_grade(fabrics: list[FabricSpec], mtu: int) -> LinkState:
    """Return the state of a span that is as good as the slowest campus fabric: the reference."""
    return LinkState(
        rate_bps=min(fabric.rate for fabric in fabrics),
        delay_ns=max(fabric.delay for fabric in fabrics),
        mtu=mtu,
    )
