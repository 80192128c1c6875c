"""The jitter of ten spans beside Kollaps' of ten links."""

from __future__ import annotations

import math

from benchmarks import published
from benchmarks.estimators import (
    deviation,
    quantile,
    root_mean_square,
    successive_difference,
)
from benchmarks.guest import Jittered, jittered_in_guest
from benchmarks.hosts import bare_spans
from benchmarks.native import probe
from benchmarks.scoreboard import Study, Table, Target
from topologies.emulation.priority import PROBER
from topologies.linkstate import Duplex, Jitter, LinkState

RATE_BPS = 10**9
FRAME_BYTES = 98
"""A ping's frame."""
GAP_NS = 10_000_000
GUEST_COUNT = 3000
NORMAL_QUARTILES = 1.349
"""Distance between the quartiles of the normal distribution, in deviations."""
ERROR_MS = 0.02


def run(quick: bool) -> Study:
    """Probe all ten spans at the same time, one way."""
    study = Study("jitter", "Jitter of ten links")
    count = 500 if quick else 12_000
    rows = published.rows("jitter")
    states = {
        f"link{index}": Duplex(
            LinkState(
                RATE_BPS, _ns(row["latency_ms"]), jitter=Jitter(_ns(row["target_jitter_ms"]))
            ),
            LinkState(RATE_BPS, 0),
        )
        for index, row in enumerate(rows)
    }
    with bare_spans(states, 1500) as spans:
        found = probe(list(spans.cables.values()), FRAME_BYTES, count, GAP_NS, PROBER)
    links = [(row["latency_ms"] or 0.0, row["target_jitter_ms"] or 0.0) for row in rows]
    guest = [] if quick else jittered_in_guest(links, GUEST_COUNT)
    table = Table(
        [
            *("latency, ms", "target jitter, ms", "spanlab, ms", "standard error", "/ target"),
            "by quartiles / target",
            *("mean difference of neighbours / target", "mean delay, error in ms"),
            *("netem here, / target", "Mininet here, / target", "Kollaps, ms", "/ target"),
        ]
    )
    ours, theirs, ratios, kollaps_ratios = [], [], [], []
    for index, (row, delays) in enumerate(zip(rows, found, strict=True)):
        latency, target, kollaps = row.values()
        assert latency is not None and target is not None and kollaps is not None
        sample = [delay_ns / 1e6 for _, delay_ns in delays]
        measured = deviation(sample)
        ratios.append(successive_difference(sample) / target)
        kollaps_ratios.append(kollaps / target)
        ours.append(measured - target)
        theirs.append(kollaps - target)
        here = guest[index] if guest else Jittered()
        mean_error = math.fsum(sample) / len(sample) - latency
        table.rows.append(
            [
                *(latency, target, round(measured, 4), measured / math.sqrt(2 * len(sample))),
                *(measured / target, _by_quartiles(sample) / target),
                *(ratios[-1], round(mean_error, 4)),
                *(ms and ms / target for ms in (here.netem_ms, here.mininet_ms)),
                *(kollaps, kollaps / target),
            ]
        )
    study.tables.append(table)
    study.targets.append(
        Target("RMSE of the jitter of ten links", root_mean_square(ours), ERROR_MS, unit="ms")
    )
    study.raw = {"probes": count, "errors_ms": ours, "kollaps_errors_ms": theirs}
    if not guest:
        study.remarks.append("No columns of netem and Mininet here: quick, or no user-mode Linux.")
    else:
        study.remarks.append(
            f"netem (our back end, {GUEST_COUNT} frames) and stock Mininet's TCLink (400 pings) "
            "ran in a user-mode Linux guest of one processor. TCLink names no distribution, so "
            "netem draws uniformly between latency - jitter and latency + jitter: a standard "
            "deviation of 1/sqrt(3) = 0.577 of what was asked for."
        )
    study.remarks += [
        f"Jitter is the standard deviation of the one-way delay of {count} frames, {GAP_NS / 1e6:g}"
        " ms apart, from one TAP device of a span to the other, all ten spans at the same time.",
        "Where the deviation is larger than its quartiles say, a few frames were late: the machine "
        "had something else to do.",
        f"Kollaps' RMSE over the same ten targets is {root_mean_square(theirs):.3f} ms.",
        f"Kollaps' figures are {min(kollaps_ratios):.3f} to {max(kollaps_ratios):.3f} times the "
        "target. The mean absolute difference of neighbouring values of a normal distribution is "
        "2/sqrt(pi) = 1.128 standard deviations; measured so, our spans give "
        f"{min(ratios):.3f} to {max(ratios):.3f}. If that is what their figures are, their links "
        "had the right jitter, and the RMSE compares two definitions.",
    ]
    return study


def _by_quartiles(sample: list[float]) -> float:
    """Return the deviation of the normal distribution that has the sample's quartiles."""
    return (quantile(sample, 0.75) - quantile(sample, 0.25)) / NORMAL_QUARTILES


def _ns(milliseconds: float | None) -> int:
    assert milliseconds is not None, "every row of the table has all its cells"
    return round(milliseconds * 1e6)
