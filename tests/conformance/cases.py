"""What every back end is put through: states of a span, and the flows that pass it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.conformance.agent import HEADERS
from topologies.linkstate import Duplex, Jitter, LinkState, Loss, Red

MS = 10**6
THIN, FAT, BULK = 100, 1000, 8000
"""Bytes of a datagram; of bulk so many that even the one slow processor of a guest sends them
faster than any span here carries them."""
THIN_FRAME, FAT_FRAME, BULK_FRAME = THIN + HEADERS, FAT + HEADERS, BULK + HEADERS
ECT0, CE = 0b10, 0b11
MIXED = (ECT0, 0)


@dataclass(frozen=True)
class Flow:
    """Numbered datagrams, ``gap_ns`` from one to the next, from the first campus or the second."""

    count: int
    length: int = THIN
    gap_ns: int = MS // 2
    backward: bool = False
    tos: tuple[int, ...] = (0,)
    raw: bool = False


@dataclass(frozen=True)
class Case:
    """A state of both directions, and flows one after the other."""

    duplex: Duplex
    flows: tuple[Flow, ...]


def both(state: LinkState, *flows: Flow) -> Case:
    """Return a case that is the same both ways."""
    return Case(Duplex.both(state), flows)


def paced(state: LinkState, count: int, over: float) -> Flow:
    """Return a flow of fat frames that come ``over`` times as fast as the span carries them."""
    return Flow(count, FAT, int(FAT_FRAME * 8e9 / state.rate_bps / over))


def filling(state: LinkState, seconds: float) -> Flow:
    """Return a flow that comes as fast as it can, and that the span needs so long to carry."""
    return Flow(int(seconds * state.rate_bps / 8 / BULK_FRAME), BULK, gap_ns=0)


def thin_then_bulk(state: LinkState) -> Case:
    """Return frames that find the queue empty, then some that fill it."""
    return both(state, Flow(100, gap_ns=4 * MS), filling(state, 0.8))


SPEEDS = {
    "slow and far": LinkState(8 * 10**6, 30 * MS, mtu=9000, queue_packets=3000),
    "middling": LinkState(20 * 10**6, 8 * MS, mtu=9000, queue_packets=3000),
    "fast": LinkState(40 * 10**6, 2 * MS, mtu=9000, queue_packets=3000),
}
PLAIN = LinkState(50 * 10**6, 10 * MS, mtu=1500, queue_packets=1000)
ASYMMETRIC = Duplex(
    LinkState(8 * 10**6, 4 * MS, queue_packets=3000),
    LinkState(40 * 10**6, 20 * MS, queue_packets=3000, loss=Loss(0.1)),
)

JITTER_NS = 3 * MS
JITTERS = {
    "normal": Jitter(JITTER_NS),
    "uniform": Jitter(JITTER_NS, "uniform"),
    "pareto": Jitter(JITTER_NS, "pareto"),
    "table": Jitter.from_table((0, 0, 4 * MS, 12 * MS), reorder=False),
}

BERNOULLI = Loss(0.05)
BURSTS = Loss(enter=0.02, leave=0.25, bad=1.0)
BITS = Loss(bit_error_rate=2e-5)
PATTERN = Loss(pattern="0010001100")

QUEUE_PACKETS, QUEUE_BYTES = 40, 50_000
NARROW = {"rate_bps": 4 * 10**6, "delay_ns": 5 * MS, "mtu": 1500}
RED = Red(20_000, 60_000, 0.2)
OVERLOAD = 1.1


def _with(**changes: object) -> LinkState:
    return replace(PLAIN, **changes)  # type: ignore[arg-type]


def _red(ecn: bool) -> LinkState:
    red = Red(RED.min_bytes, RED.max_bytes, RED.probability, ecn)
    return LinkState(8 * 10**6, 5 * MS, mtu=1500, queue_bytes=400_000, red=red)


CASES: dict[str, Case] = {
    **{name: thin_then_bulk(state) for name, state in SPEEDS.items()},
    "asymmetric": Case(
        ASYMMETRIC,
        (
            Flow(100, gap_ns=5 * MS),
            Flow(100, gap_ns=5 * MS, backward=True),
            filling(ASYMMETRIC.forward, 0.6),
            replace(filling(ASYMMETRIC.backward, 0.8), backward=True),
        ),
    ),
    **{
        f"jitter {name}": both(_with(delay_ns=20 * MS, jitter=jitter), Flow(600))
        for name, jitter in JITTERS.items()
    },
    **{
        f"jitter {name}, reordering": both(
            _with(
                delay_ns=20 * MS,
                jitter=Jitter(jitter.deviation_ns, jitter.distribution, jitter.table_ns, True),
            ),
            Flow(2000),
        )
        for name, jitter in JITTERS.items()
    },
    "lost": both(_with(loss=BERNOULLI), Flow(4000, gap_ns=MS // 4)),
    "lost in bursts": both(_with(loss=BURSTS), Flow(8000, gap_ns=MS // 5)),
    "lost by bits": both(
        _with(loss=BITS), Flow(2000, gap_ns=MS // 4), Flow(2000, FAT, gap_ns=MS // 4)
    ),
    "lost by a pattern": both(_with(loss=PATTERN), Flow(500)),
    "duplicated": both(_with(duplicate=0.1), Flow(2000, gap_ns=MS // 4)),
    "corrupted": both(_with(corrupt=0.2), Flow(1000, FAT, raw=True)),
    "reordered": both(_with(reorder=0.1), Flow(2000)),
    "full by packets": both(
        LinkState(**NARROW, queue_packets=QUEUE_PACKETS),  # type: ignore[arg-type]
        Flow(150, FAT, gap_ns=0),
    ),
    "full by bytes": both(
        LinkState(**NARROW, queue_bytes=QUEUE_BYTES),  # type: ignore[arg-type]
        Flow(150, FAT, gap_ns=0),
    ),
    "red": both(_red(ecn=False), paced(_red(ecn=False), 4000, OVERLOAD)),
    "red with ecn": both(_red(ecn=True), replace(paced(_red(ecn=True), 1500, OVERLOAD), tos=MIXED)),
    "oversize": both(
        _with(mtu=1000),
        Flow(50, 1000 - 28),
        Flow(50, 1000 - 27),
    ),
}

BRIEF = (*SPEEDS, "asymmetric", "lost", "reordered", "full by packets", "red with ecn", "oversize")
"""What is enough where the back end has been through all of it with another datapath."""

TRACE_STEP_NS = 120 * MS
TRACE_DELAYS_NS = (5 * MS, 25 * MS, 10 * MS, 40 * MS, 5 * MS, 15 * MS)
TRACE = [
    (place * TRACE_STEP_NS, Duplex.both(_with(delay_ns=delay_ns)))
    for place, delay_ns in enumerate(TRACE_DELAYS_NS)
]

CAUGHT_NS = 400 * MS
"""Delay of a span that goes down before the first frame has come out of it."""

_ROOMY = 2_000_000
LIVE = [
    LinkState(10 * 10**6, 20 * MS, mtu=9000, queue_packets=500),
    LinkState(90 * 10**6, 2 * MS, mtu=9000, queue_bytes=_ROOMY),
    LinkState(9 * 10**6, 30 * MS, mtu=9000, queue_packets=500),
    LinkState(50 * 10**6, 4 * MS, mtu=9000, queue_bytes=_ROOMY, red=Red(_ROOMY // 2, _ROOMY)),
]
"""States that carry `LIVE_FLOW` without a loss, with every kind of queue."""
LIVE_CHANGES = 100
LIVE_GAP_S = 0.02
LIVE_FLOW = Flow(3000, 583, gap_ns=MS)
"""5 Mbit/s."""
