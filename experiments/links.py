"""``spanlab links``: every span of a scenario built, and measured alone in each direction."""

from __future__ import annotations

import math
import secrets
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from controller.errors import ControllerError
from experiments.arrivals import WARM_UP
from experiments.carrymeasure import ensure_known
from experiments.errors import RunFailed
from experiments.flows import Heard, Session, run_sessions, run_tcp
from experiments.linkverdict import Direction, Filled, Intent, Probed, judge
from experiments.loading import load_twin
from experiments.network import Network, running_network
from experiments.probing import CONCURRENT_BPS
from experiments.runner import preflight
from experiments.signals import stop_on_signals
from topologies.emulation.capabilities import probe
from topologies.emulation.errors import EmulationError, MachineError
from topologies.emulation.impairer import Counters
from topologies.emulation.ownership import owned_folder
from topologies.emulation.stamp import BYTES
from topologies.emulation.stamp_session import HEADERS
from topologies.errors import NetworkError
from topologies.linkstate import ETHERNET_HEADER, Duplex, LinkState
from topologies.suggest import unknown

SECONDS = 2.0
PROBE_GAP_NS = 4_000_000
"""Between probes: far enough apart for a small machine to carry those of ten spans at once."""
PROBE_SHARE = 0.1
"""Of a slow span's rate, for probes at the most: they must find its queue empty."""
CALIBRATION_S = 1.0
"""Of probing, to know what the switches add."""
TRAIN_S = 1.0
TRAIN_FRAMES = (40, 2000)
LONGEST_FRAME_S = 0.02
HEAD_FRAMES = 64
"""Sent at once at the start of a train at the most, to fill half of the queue."""
ACCESS_SHARE = 0.8
"""Of the rate of a prober's link, which comes in bursts of a millisecond: more does not queue."""
FLOOD_FRAMES = 5000
"""A queue that needs more than this to run over is not made to."""
SETTLE_NS = 300_000_000
"""For the last packets, beyond what their delays should be."""

Stage = Callable[[str], None]


def inspect(source: Path, span: str | None, seconds: float, stage: Stage) -> list[Direction]:
    """Build the network of a scenario file and measure all of its spans, or one.

    ``stage`` hears what happens now. Raises FileError for a bad file, NetworkError for an unknown
    span, MachineError for what the machine lacks, RunFailed when the network does not work.
    """
    with stop_on_signals():
        ensure_known(source, stage)
    scenario, twin = load_twin(source)
    if span is not None and span not in twin.graph.spans:
        raise NetworkError(f"{source}: {unknown('span', span, twin.graph.spans)}")
    machine = preflight(scenario, twin, probe())
    try:
        with ExitStack() as stack:
            stack.enter_context(stop_on_signals())
            folder = stack.enter_context(owned_folder(secrets.token_hex(3)))
            stage("building the network")
            network = stack.enter_context(
                running_network(twin, machine, scenario, folder=folder, logs=folder)
            )
            network.controller.set_probing(False)  # nothing is to cross the spans but what we send
            stage("calibrating the spans")
            calibrate(network, twin.initial)
            states = {span: twin.initial[span]} if span else twin.initial
            return measure(network, states, seconds, stage)
    except MachineError:
        raise
    except (EmulationError, ControllerError) as error:
        raise RunFailed(str(error)) from None


def calibrate(network: Network, states: Mapping[str, Duplex]) -> None:
    """Calibrate as a run does, then by the same probes that will measure.

    A small machine's switches take a quarter of a millisecond more or less by what else wakes it.
    """
    network.calibrate(states)
    still = {
        span: Duplex(*(LinkState(way.rate_bps, way.delay_ns, mtu=way.mtu) for way in duplex.ways))
        for span, duplex in states.items()
    }
    network.set_spans(still)
    sessions = [probing_session(span, duplex, CALIBRATION_S) for span, duplex in still.items()]
    for span, heard in zip(states, run_sessions(network.lab, sessions), strict=True):
        floor = network.floor[span]
        intended_ns = still[span].round_trip_ns + sum(
            (BYTES + HEADERS) * 8e9 / way.rate_bps for way in still[span].ways
        )
        excess_ns = statistics.median(heard.round_trips[WARM_UP:]) - intended_ns
        network.floor[span] = replace(floor, median_ns=max(0.0, floor.median_ns + excess_ns))
    network.set_spans(states)


def measure(
    network: Network,
    states: Mapping[str, Duplex],
    seconds: float,
    stage: Stage,
) -> list[Direction]:
    """Measure spans and judge each direction by the state that it should be in.

    Spans that are not as intended are measured once more and judged by that: a wrong state is
    wrong again, a machine that was held up elsewhere is not.
    """
    found = look(network, states, seconds, stage)
    doubtful = {way.span for way in found if not way.ok}
    if doubtful:
        stage("looking again at " + ", ".join(doubtful))
        again = {span: duplex for span, duplex in states.items() if span in doubtful}
        found = [way for way in found if way.span not in doubtful]
        found += look(network, again, seconds, stage)
    order = list(states)
    return sorted(found, key=lambda way: order.index(way.span))


def look(
    network: Network,
    states: Mapping[str, Duplex],
    seconds: float,
    stage: Stage,
) -> list[Direction]:
    """Measure spans once; see `measure`."""
    stage("probing delay, jitter and loss")
    sessions = [probing_session(span, duplex, seconds) for span, duplex in states.items()]
    probed = dict(zip(states, run_sessions(network.lab, sessions), strict=True))
    found: list[Direction] = []
    for backward in (False, True):
        for batch in batches(states, backward, network.access_bps):
            stage(f"filling {', '.join(batch)}" + (" backward" if backward else ""))
            filled = _fill(network, states, batch, backward)
            goodput = run_tcp(network.lab, batch, backward, seconds)
            for span, full, bps in zip(batch, filled, goodput, strict=True):
                intent = Intent(
                    span,
                    states[span],
                    backward,
                    access_bps=network.access_bps,
                    floor=network.floor[span],
                )
                found.append(judge(intent, _probed(probed[span], backward), full, bps, seconds))
    return found


def batches(states: Mapping[str, Duplex], backward: bool, access_bps: int) -> list[tuple[str, ...]]:
    """Group spans that may be filled at the same time: together below `CONCURRENT_BPS`."""
    groups: list[tuple[int, list[str]]] = []
    for span, duplex in states.items():
        rate_bps = min(duplex.ways[backward].rate_bps, access_bps)
        for index, (total_bps, group) in enumerate(groups):
            if total_bps + rate_bps <= CONCURRENT_BPS:
                group.append(span)
                groups[index] = (total_bps + rate_bps, group)
                break
        else:
            groups.append((rate_bps, [span]))
    return [tuple(group) for _, group in groups]


def probing_session(span: str, duplex: Duplex, seconds: float) -> Session:
    """Return the session that finds delay, jitter and loss of both ways of an idle span."""
    slowest_bps = min(way.rate_bps for way in duplex.ways)
    gap_ns = max(PROBE_GAP_NS, int((BYTES + HEADERS) * 8e9 / slowest_bps / PROBE_SHARE))
    return Session(
        span,
        backward=False,
        reflected=True,
        count=max(20, int(seconds * 1e9 / gap_ns)),
        payload_bytes=BYTES,
        gap_ns=gap_ns,
        head=0,
        linger_ns=_latest_ns(duplex.ways),
    )


@dataclass(frozen=True)
class Filling:
    """Frames that keep a direction busy without overflow, and frames that make its queue run over.

    ``flood`` is 0 where the queue cannot be made to: its span is as fast as the way to it, or the
    queue is too long.
    """

    frame_bytes: int
    frames: int
    head: int
    gap_ns: int
    flood: int
    flood_gap_ns: int


def filling(way: LinkState, access_bps: int) -> Filling:
    """Return what fills a direction: half of its queue at first, three quarters at the end."""
    rate_bps = min(way.rate_bps, access_bps)
    frame = max(128, min(way.mtu + ETHERNET_HEADER, int(rate_bps * LONGEST_FRAME_S / 8)))
    room = queue_bytes(way, frame) // frame
    least, most = TRAIN_FRAMES
    frames = max(least, min(most, math.ceil(rate_bps * TRAIN_S / (8 * frame))))
    head = max(1, min(HEAD_FRAMES, room // 2))
    flood = 0
    if is_slowest(way, access_bps):
        flood = math.ceil(room / (1 - way.rate_bps / access_bps)) + HEAD_FRAMES
    return Filling(
        frame_bytes=frame,
        frames=frames,
        head=head,
        gap_ns=int(frame * 8e9 / rate_bps / (1 + head / 2 / frames)),
        flood=flood if flood <= FLOOD_FRAMES else 0,
        flood_gap_ns=int(frame * 8e9 / access_bps),
    )


def is_slowest(way: LinkState, access_bps: int) -> bool:
    """Ask whether a direction is slower than the probers' own links, so that it can be filled."""
    return way.rate_bps < ACCESS_SHARE * access_bps


def queue_bytes(way: LinkState, frame_bytes: int) -> int:
    """Return how much of frames of one length a direction's queue holds."""
    limit = way.queue_limit_bytes
    if way.queue_packets:
        by_packets = way.queue_packets * frame_bytes
        limit = min(way.queue_bytes or by_packets, by_packets)
    return limit


def _fill(
    network: Network, states: Mapping[str, Duplex], batch: Sequence[str], backward: bool
) -> list[Filled]:
    """Keep spans busy with a train each, then make their queues run over."""
    ways = [states[span].ways[backward] for span in batch]
    plans = [filling(way, network.access_bps) for way in ways]

    def sessions(flood: bool) -> list[Session]:
        return [
            Session(
                span,
                backward,
                reflected=False,
                count=plan.flood if flood else plan.frames,
                payload_bytes=plan.frame_bytes - HEADERS,
                gap_ns=plan.flood_gap_ns if flood else plan.gap_ns,
                head=0 if flood else plan.head,
                linger_ns=_latest_ns([way]) + way.queue_limit_bytes * 8 * 10**9 // way.rate_bps,
            )
            for span, way, plan in zip(batch, ways, plans, strict=True)
            if plan.flood or not flood
        ]

    before = _counters(network, batch, backward)
    trains = run_sessions(network.lab, sessions(flood=False))
    between = _counters(network, batch, backward)
    run_sessions(network.lab, sessions(flood=True))
    after = _counters(network, batch, backward)
    apart = network.impairer.tells_drops_apart
    return [
        Filled(
            frame_bytes=plan.frame_bytes,
            head=plan.head,
            saturated=is_slowest(way, network.access_bps),
            train=heard.there,
            dropped=now.queue_drops + now.early_drops - then.queue_drops - then.early_drops
            if apart
            else None,
            deepest_bytes=last.deepest_bytes,
            queue_bytes=queue_bytes(way, plan.frame_bytes),
            flooded=bool(plan.flood) and not way.red,
        )
        for way, plan, heard, then, now, last in zip(
            ways, plans, trains, before, between, after, strict=True
        )
    ]


def _counters(network: Network, batch: Sequence[str], backward: bool) -> list[Counters]:
    counters = network.counters()
    return [counters[span][backward] for span in batch]


def _probed(heard: Heard, backward: bool) -> Probed:
    flow = heard.back if backward else heard.there
    return Probed(BYTES + HEADERS, flow, heard.there, heard.round_trips)


def _latest_ns(ways: Sequence[LinkState]) -> int:
    """Return how long the last packet may take: its delays, four deviations or the largest."""
    latest = SETTLE_NS
    for way in ways:
        jitter = max(way.jitter.table_ns, default=20 * way.jitter.deviation_ns) if way.jitter else 0
        latest += way.delay_ns + jitter
    return latest
