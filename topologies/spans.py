"""From a span's specification to the link state it has before and after each upgrade."""

from __future__ import annotations

from topologies.ageing.conditions import OPTICS, plant_of
from topologies.ageing.delay import GLASS_NS_PER_KM, one_way_ns
from topologies.ageing.optics import draw_wear, frame_loss
from topologies.ageing.plant import Plant
from topologies.errors import PhysicsError
from topologies.linkstate import LinkState
from topologies.spec import FabricSpec, SpanSpec
from topologies.upgrades.catalogue import upgraded


def plant_state(plant: Plant, span: str, seed: int, mtu: int, queue_bytes: int = 0) -> LinkState:
    """Return what a plant does to packets; raises PhysicsError where it cannot work."""
    loss = frame_loss(plant, draw_wear(plant, seed, span), mtu)
    return LinkState(
        rate_bps=OPTICS[plant.optics].rate,
        delay_ns=one_way_ns(plant),
        loss=loss,
        queue_bytes=queue_bytes,
        mtu=mtu,
    )


def span_states(
    name: str, spec: SpanSpec, upgrades: list[str], seed: int, mtu: int
) -> list[LinkState]:
    """Return the real-scale state of a span as it is and after each of its upgrades in turn.

    Raises PhysicsError naming the span when a state cannot work.
    """
    try:
        if spec.condition:
            plant = plant_of(spec.condition, spec.route or 0, spec.age)
            states = [plant_state(plant, name, seed, mtu, spec.queue or 0)]
        else:
            plant = Plant(route_m=spec.route or 0, age_ns=0, optics="", new_fibre=True)
            states = [_stated(spec, mtu)]
        for upgrade in upgrades:
            if spec.route is None:
                raise PhysicsError(f"{upgrade}: the span states no route to upgrade along")
            plant = upgraded(plant, upgrade)
            states.append(plant_state(plant, name, seed, mtu))
    except PhysicsError as error:
        raise PhysicsError(f"network.spans.{name}: {error}") from None
    return states


def _stated(spec: SpanSpec, mtu: int) -> LinkState:
    assert spec.rate is not None, "the specification demands it"
    delay = spec.delay if spec.delay is not None else (spec.route or 0) * GLASS_NS_PER_KM // 1000
    return LinkState(spec.rate, delay, spec.loss or 0.0, spec.queue or 0, mtu)


def campus_grade(fabrics: list[FabricSpec], mtu: int) -> LinkState:
    """Return the state of a span that is as good as the slowest campus fabric: the reference."""
    return LinkState(
        rate_bps=min(fabric.rate for fabric in fabrics),
        delay_ns=max(fabric.delay for fabric in fabrics),
        mtu=mtu,
    )
