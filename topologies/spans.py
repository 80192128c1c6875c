"""From a span's specification to the link state it has before and after each upgrade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from topologies.ageing.chain import Chain, chain_of
from topologies.ageing.delay import GLASS_NS_PER_KM
from topologies.ageing.light import DESIGN_MARGIN_DB
from topologies.ageing.plant import Plant
from topologies.ageing.wear import draw_wear
from topologies.catalogue import Catalogue
from topologies.errors import NetworkError, PhysicsError
from topologies.linkstate import Duplex, LinkState
from topologies.spec import FabricSpec, SpanSpec
from topologies.units import YEAR_NS


def initial_plant(spec: SpanSpec, catalogue: Catalogue) -> Plant:
    """Return the physical span that a specification describes; without optics where it states none.

    Raises NetworkError where its conditions do not make a whole.
    """
    if spec.condition:
        plant = catalogue.plant(spec.condition, spec.route or 0, spec.age)
        return plant if spec.cuts is None else replace(plant, cuts=spec.cuts)
    return Plant(route_m=spec.route or 0, age_ns=0, optics=None, new_fibre=True)


def plant_chain(plant: Plant, span: str, seed: int, mtu: int, catalogue: Catalogue) -> Chain:
    """Return the chain from a plant with optics to its packets, as ``seed`` drew its history."""
    assert plant.optics is not None, "checked by the caller"
    return chain_of(plant, draw_wear(plant, seed, span), mtu, catalogue.code_of(plant.optics))


def aged(plant: Plant, years_ns: int) -> Plant:
    """Return a plant some years later."""
    return replace(plant, age_ns=plant.age_ns + years_ns)


def upgraded(
    plant: Plant, upgrade: str, span: str, seed: int, mtu: int, catalogue: Catalogue
) -> tuple[Plant, Chain]:
    """Return a plant after an upgrade and the chain it then has.

    Raises PhysicsError where the upgrade does not fit, and where nobody would light such a line:
    without its design margin for coherent optics, beyond its error correction for others.
    """
    if not plant.route_m:
        raise PhysicsError(f"{upgrade}: the span states no route to upgrade along")
    plant = catalogue.upgraded(plant, upgrade)
    chain = plant_chain(plant, span, seed, mtu, catalogue)
    refuse_unworkable(chain, upgrade)
    return plant, chain


def refuse_unworkable(chain: Chain, upgrade: str | None = None) -> None:
    """Raise PhysicsError for a link that is down, or that an upgrade would leave without margin."""
    km = f"{chain.plant.route_m / 1000:g} km"
    prefix = f"{upgrade}: " if upgrade else ""
    if chain.mode is not None and chain.margin_db is not None:
        short_db = -chain.margin_db if upgrade else -chain.margin_db - DESIGN_MARGIN_DB
        if short_db > 0:
            raise PhysicsError(
                f"{prefix}{chain.mode.rate / 1e9:g}G over {km} does not work: the GSNR of "
                f"{chain.gsnr_db:.1f} dB falls {short_db:.1f} dB short of "
                f"{chain.mode.osnr_required_db:g} dB"
                + (f" with {DESIGN_MARGIN_DB:g} dB of design margin" if upgrade else "")
                + "; see ./spanlab explain FILE SPAN, and mend or shorten the line first"
            )
    if not chain.up or (upgrade and chain.reserve_db is not None and chain.reserve_db < 0):
        threshold = chain.plant.code.threshold
        limit = f"its error correction handles {threshold:.2g}" if threshold else "down at 4.1e-4"
        years = chain.plant.age_ns / YEAR_NS
        raise PhysicsError(
            f"{prefix}the link over {km} is down after {years:g} years: bit-error rate "
            f"{chain.bit_error_rate:.1e}, {limit}; see ./spanlab explain FILE SPAN"
        )


def span_states(
    name: str,
    spec: SpanSpec,
    changes: Sequence[str | int],
    seed: int,
    mtu: int,
    catalogue: Catalogue,
) -> list[Duplex]:
    """Return the real-scale state of a span as it is and after each change in turn.

    A change is an upgrade's name or further years of age in ns. What the file states of the link
    beside its condition is gone with the first change. Raises PhysicsError naming the span when a
    state cannot work, NetworkError when one contradicts itself.
    """
    try:
        plant = initial_plant(spec, catalogue)
        if plant.optics:
            chain = plant_chain(plant, name, seed, mtu, catalogue)
            refuse_unworkable(chain)
            state = chain.state
        else:
            assert spec.rate is not None, "the specification demands it"
            state = LinkState(spec.rate, (spec.route or 0) * GLASS_NS_PER_KM // 1000, mtu=mtu)
        states = [stated(spec, state)]
        for change in changes:
            if isinstance(change, str):
                plant, chain = upgraded(plant, change, name, seed, mtu, catalogue)
            elif plant.optics is None:
                raise PhysicsError("states no condition: only conditions age")
            else:
                plant = aged(plant, change)
                chain = plant_chain(plant, name, seed, mtu, catalogue)
                refuse_unworkable(chain)
            states.append(Duplex.both(chain.state))
    except NetworkError as error:
        raise type(error)(f"network.spans.{name}: {error}") from None
    return states


def span_plants(spec: SpanSpec, changes: Sequence[str | int], catalogue: Catalogue) -> list[Plant]:
    """Return what the span is made of at first and after each change; see `span_states`."""
    plants = [initial_plant(spec, catalogue)]
    for change in changes:
        before = plants[-1]
        after = catalogue.upgraded(before, change) if isinstance(change, str) else None
        plants.append(after or aged(before, int(change)))
    return plants


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
