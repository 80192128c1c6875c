"""From a job and the spans' states to the time of a step, for one state or a hundred thousand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from experiments.model import tcp
from experiments.model.collectives import IN_FLIGHT, Edges, pipeline_s, ring_s, rounds
from experiments.model.job import CAUSES, Cause, Crossings, Job, Prediction
from experiments.model.network import Spans, edges_of, inside
from topologies.linkstate import Duplex, LinkState

MODEL_ERROR = 0.15
"""What the model itself may be off by (grade: measured; 40 of 43 points lay in the interval)."""
STEPS_MEANT = 20
"""The interval holds the mean over this many steps."""


def step_s(
    job: Job, crossings: Crossings, spans: Spans, without: Cause | None = None, pftk: bool = False
) -> Any:
    """Return the time of a step (s) in each of several states, one cause left out.

    ``pftk`` takes that law for random losses instead of the one that fits Linux.
    """
    if without is not None:
        spans = spans.without(without)
    ring = job.ring
    edges, window_s = edges_of(job, crossings, spans, without, pftk)
    fabric = inside(job, len(spans), without)
    compute_s = 0.0 if without == "compute" else job.compute_s
    parts: dict[float, tuple[Any, Any, Any, Any]] = {}
    buckets = job.buckets()
    for size, _ in buckets:
        if size not in parts:
            parts[size] = _stages(job, size, len(buckets), edges, fabric, without)
    stages = [parts[size] for size, _ in buckets]
    ready = [at_s * (compute_s / job.compute_s if job.compute_s else 0.0) for _, at_s in buckets]
    if job.period > 1:
        ready = [0.0] * len(buckets)
    gather, chain, busy, spread = zip(*stages, strict=True)
    done = pipeline_s(ready, gather, chain, busy, spread) + window_s
    step = compute_s + done / job.period if job.period > 1 else np.maximum(done, compute_s)
    stalled = np.zeros(len(spans)) if without == "outage" else spans.stalled(crossings, ring)
    step = (step + job.overhead_s) / np.maximum(1e-9, 1 - stalled)
    return np.where(spans.cut(crossings, ring), np.inf, step)


def _stages(
    job: Job, size: float, buckets: int, edges: Edges, fabric: Edges, without: Cause | None
) -> tuple[Any, Any, Any, Any]:
    """Return gather, chain, busy and spread of a bucket of that size, one of several."""
    n, slices = len(job.ring), job.slices
    part, in_flight = size / slices, min(IN_FLIGHT, buckets)
    waited = np.zeros_like(edges.rtt_s) if without == "latency" else edges.rtt_s
    if n > 1:
        # Segments of a round, of which the last must arrive before the next is asked for.
        moved = 2 * (n - 1) / n * part / max(1.0, rounds(part, n))
        count = np.ceil(moved / (job.mtu - tcp.HEADERS))
        waited = waited + tcp.recoveries(edges.loss, count) * edges.rtt_s
        if job.congestion_control != "bbr" and without not in ("latency", "bandwidth"):
            # All that is on its way at once: does it fit the line and the queue?
            at_once = in_flight * moved * edges.flows
            waited = waited + (at_once > edges.room_bytes) * edges.rtt_s
    # A slice's second bucket takes the time in which the other slices could hide their waiting.
    chain, busy = ring_s(part, n, edges, waited, slices if buckets == 1 else 1)
    gather = spread = np.zeros_like(chain)
    if job.strategy == "hierarchical" and (inner := max(count for _, count in job.campuses)) > 1:
        fabric_wait = np.zeros_like(fabric.rtt_s) if without == "latency" else fabric.rtt_s
        # gloo reduces and scatters by an all-reduce.
        gather = np.maximum(*ring_s(size, inner, fabric, fabric_wait))
        share = (inner - 1) / inner if slices > 1 else float(np.ceil(np.log2(inner)))
        spread = (8 * size * share / fabric.rate_bps + fabric_wait).max(axis=1)
    return gather, chain, busy, spread


def predict(
    job: Job,
    crossings: Crossings,
    states: Mapping[str, Duplex],
    unavailability: Mapping[str, float] | None = None,
) -> Prediction:
    """Predict the step of a job over spans in some states.

    ``unavailability`` is the share of time that each span is down. Raises KeyError for a span that
    is crossed and has no state.
    """
    spans = Spans.of([states], job.mtu, unavailability or {})
    whole = float(step_s(job, crossings, spans)[0])
    terms = {
        cause: whole - float(step_s(job, crossings, spans, cause)[0])
        if np.isfinite(whole)
        else (np.inf if cause == "outage" else 0.0)
        for cause in CAUSES
    }
    dominant = max(CAUSES, key=lambda cause: terms[cause])
    chance = 2 * max(0.0, terms["loss"]) / np.sqrt(max(1.0, STEPS_MEANT * losses(job, spans)))
    low = whole * (1 - MODEL_ERROR) - chance
    slower = whole
    if job.congestion_control != "bbr" and terms["loss"] > 0:
        slower = max(whole, float(step_s(job, crossings, spans, pftk=True)[0]))
    high = slower * (1 + MODEL_ERROR) + chance
    # No step is shorter than its computation.
    return Prediction(whole, max(low, min(whole, job.compute_s)), high, dominant, terms)


def losses(job: Job, spans: Spans) -> float:
    """Return the segments that a step loses on the worst span, about."""
    segments = 2 * job.gradient_bytes / (job.mtu - tcp.HEADERS)
    return float(spans.loss.max(initial=0.0)) * segments


def coherence(
    job: Job, crossings: Crossings, states: Mapping[str, Duplex], reference: Duplex
) -> tuple[float, float, float, Cause]:
    """Return coherence, its interval and what dominates the step.

    Coherence is the step's time with every span in state ``reference``, over its time.
    """
    best = predict(job, crossings, dict.fromkeys(states, reference))
    now = predict(job, crossings, states)
    low, high = (
        best.step_s / bound if np.isfinite(bound) else 0.0 for bound in (now.high_s, now.low_s)
    )
    value = best.step_s / now.step_s if np.isfinite(now.step_s) else 0.0
    return value, min(low, value), max(high, value), now.dominant


def predict_sets(
    job: Job,
    crossings_of: Callable[[Mapping[str, Duplex]], Crossings],
    options: Mapping[str, Sequence[Duplex]],
    sets: NDArray[np.int_],
    seen: Callable[[LinkState], Hashable] = lambda way: (way.delay_ns, way.up),
) -> tuple[NDArray[np.float64], list[Cause]]:
    """Return each set's step (s), and what dominates it.

    ``sets`` has a row for each set and a column for each span of ``options``: the number of the
    span's option. ``crossings_of`` is called once for each combination of what is ``seen`` of the
    spans by who routes.
    """
    names = list(options)
    kinds = np.stack(
        [_kinds(options[name], seen)[sets[:, column]] for column, name in enumerate(names)], axis=1
    )
    _, first, which = np.unique(kinds, axis=0, return_index=True, return_inverse=True)
    which = which.reshape(-1)
    routed: dict[Any, list[int]] = defaultdict(list)
    for number, row in enumerate(first):
        states = {name: options[name][sets[row, column]] for column, name in enumerate(names)}
        routed[tuple(sorted(crossings_of(states).items()))].append(number)
    spans = Spans.chosen(options, sets, job.mtu)
    steps = np.empty(len(sets))
    dominant = np.empty(len(sets), dtype=int)
    for routes, numbers in routed.items():
        rows = np.flatnonzero(np.isin(which, numbers))
        some, crossings = spans.rows(rows), cast(Crossings, dict(routes))
        steps[rows] = whole = step_s(job, crossings, some)
        left = [np.nan_to_num(whole - step_s(job, crossings, some, cause)) for cause in CAUSES]
        dominant[rows] = np.where(
            np.isfinite(whole), np.argmax(left, axis=0), CAUSES.index("outage")
        )
    return steps, [CAUSES[number] for number in dominant]


def _kinds(options: Sequence[Duplex], seen: Callable[[LinkState], Hashable]) -> NDArray[np.int_]:
    """Number a span's options so that those that look alike share a number."""
    keys = [tuple(map(seen, duplex.ways)) for duplex in options]
    return np.array([keys.index(key) for key in keys])
