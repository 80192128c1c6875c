"""Outages of a run, drawn from the spans' faults or placed by hand. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from zlib import crc32

import numpy as np

from topologies.ageing import outages
from topologies.ageing.outages import PROTECTION_HIT_NS, Faults
from topologies.ageing.plant import Plant
from topologies.linkstate import Duplex, LinkState, Loss
from topologies.spec import SpanSpec

HOUR_NS = 3600 * 10**9
MOST_OUTAGES = 500
"""Of one span in one run; a longer list is cut off, far beyond what training outlives."""

Interval = tuple[int, int]


def faults_of(spec: SpanSpec, plant: Plant) -> Faults | None:
    """Return how a span fails: as stated, or as its condition does; None where neither says."""
    stated = spec.failures
    if stated and stated.percentile is not None:
        at = stated.percentile
        faults = Faults(outages.vendor_mtbf_h(at), outages.vendor_mttr_h(at))
    elif stated and stated.mtbf and stated.mttr:
        faults = Faults(stated.mtbf / HOUR_NS, stated.mttr / HOUR_NS)
    elif plant.mtbf_h and plant.mttr_h:
        faults = Faults(plant.mtbf_h, plant.mttr_h)
    else:
        return None
    return faults.with_standby() if plant.diverse else faults


def fades_of(plant: Plant) -> Faults | None:
    """Return how often rain fades a radio link, and for how long; None for others."""
    if plant.fade_mtbf_h and plant.fade_mttr_h:
        return Faults(plant.fade_mtbf_h, plant.fade_mttr_h)
    return None


def drawn(
    faults: Faults | None, hits_per_year: float, horizon_ns: int, speed: int, seed: int, name: str
) -> list[Interval]:
    """Return the outages of the first ``horizon_ns`` of real time, in order, merged.

    The calendar passes ``speed`` times faster than training, so repairs are that much shorter;
    a protection hit takes its 50 ms whatever the speed. ``name`` is the span's or its duct's.
    """
    random = np.random.default_rng([seed, crc32(name.encode()), 2])
    hours = horizon_ns * speed / HOUR_NS
    found: list[Interval] = []
    if faults:
        for begin_h, end_h in outages.draw(faults, hours, random):
            found.append((int(begin_h * HOUR_NS / speed), int(end_h * HOUR_NS / speed)))
            if len(found) == MOST_OUTAGES:
                break
    for at_h in outages.draw_hits(hits_per_year, hours, random):
        begin_ns = int(at_h * HOUR_NS / speed)
        found.append((begin_ns, begin_ns + PROTECTION_HIT_NS))
        if len(found) == 2 * MOST_OUTAGES:
            break
    return merged(found)


def by_hand(for_ns: int, times: int) -> list[Interval]:
    """Return ``times`` outages from now on, as long up in between as down."""
    return [(2 * count * for_ns, (2 * count + 1) * for_ns) for count in range(times)]


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the same outages in order, those that touch as one."""
    whole: list[Interval] = []
    for begin, end in sorted(intervals):
        if whole and begin <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((begin, end))
    return whole


def states_through(
    outages: Iterable[Interval], usual: Duplex, failed: Duplex
) -> list[tuple[int, Duplex]]:
    """Return a span's states through outages, by their offset in ns; one may have begun before."""
    found = []
    for begin_ns, end_ns in merged(outages):
        found.append((max(0, begin_ns), failed))
        found.append((end_ns, usual))
    return found


def faded_state(state: Duplex, plant: Plant) -> Duplex:
    """Return what a radio link is in heavy rain: slower and lossy."""
    optics = plant.optics
    assert optics is not None, "only a plant with optics fades"
    return Duplex(
        *(
            replace(
                way, rate_bps=int(way.rate_bps * optics.fade_capacity), loss=Loss(optics.fade_loss)
            )
            for way in state.ways
        )
    )


def black_hole(state: Duplex) -> Duplex:
    """Return what a span is while it loses every frame, and no port goes down."""
    return Duplex(*(replace(way, loss=Loss(1.0)) for way in state.ways))


def failed_state(state: Duplex, backup: LinkState | None) -> Duplex:
    """Return what a span is while it has failed: down, or its backup."""
    if backup:
        return Duplex.both(replace(backup, mtu=state.forward.mtu))
    return Duplex(*(replace(way, up=False) for way in state.ways))
