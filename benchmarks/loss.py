"""Loss: what the line loses, and what TCP makes of it."""

from __future__ import annotations

import math
from statistics import fmean

from benchmarks import published
from benchmarks.estimators import (
    binomial_interval,
    bursts,
    deviation,
    mean_burst,
    two_state_interval,
)
from benchmarks.hosts import bare_spans, goodputs_bps, joined_hosts
from benchmarks.native import probe
from benchmarks.scoreboard import Study, Table, Target
from topologies.emulation.priority import PROBER
from topologies.linkstate import Duplex, LinkState, Loss

RATE_BPS, DELAY_NS, MTU = 300 * 10**6, 5_000_000, 1500
FLOWS = 3
"""At the same time, over a span each: what two processors carry."""
TOLERANCE = 0.1
CONFIDENCE, BURST_TOLERANCE = 0.999, 0.05
CHANNELS = {
    "Bernoulli, 1 %": Loss(0.01),
    "Bernoulli, 0.01 %": Loss(1e-4),
    "Gilbert-Elliott, bursts of 5": Loss(0.0, bad=1.0, enter=0.01, leave=0.2),
    "Gilbert-Elliott, 1e-4 and 30 %": Loss(1e-4, bad=0.3, enter=0.002, leave=0.1),
}
GAP_NS = 25_000


def run(quick: bool) -> Study:
    """Measure both."""
    study = Study("loss", "Loss")
    _tcp(study, quick)
    _lines(study, quick)
    return study


def _tcp(study: Study, quick: bool) -> None:
    """Send Reno flows over lossy spans."""
    table = Table(
        ["loss", "Reno, Mbit/s", "standard error", "flows x s", "Reno, before", "Mathis"],
        caption="TCP Reno, round trip 10 ms, 300 Mbit/s, MSS 1448",
    )
    for row in published.rows("loss"):
        loss, before, mathis = row.values()
        assert loss is not None and before is not None
        # Losses are random: where they are rare, a flow sees few in a short time.
        seconds = 6 if quick else 80 if loss == 1e-4 else 20
        flows = 1 if loss == 0 else FLOWS
        forward = LinkState(RATE_BPS, DELAY_NS, loss=Loss(loss), mtu=MTU)
        backward = LinkState(RATE_BPS, DELAY_NS, mtu=MTU)
        states = {f"flow{index}": Duplex(forward, backward) for index in range(flows)}
        with joined_hosts(states, MTU) as (_, pairs):
            found = [bps / 1e6 for bps in goodputs_bps(pairs, seconds, 2)]
        error = deviation(found) / math.sqrt(flows) if flows > 1 else None
        table.rows.append(
            [f"{loss:g}", fmean(found), error, f"{flows} x {seconds}", before, mathis]
        )
        study.raw[f"reno at {loss:g}, Mbit/s"] = found
        off = abs(fmean(found) / before - 1)
        study.targets.append(Target(f"Reno at loss {loss:g}, off the table", off, TOLERANCE))
    study.tables.append(table)
    study.remarks.append(
        "Hosts are network namespaces whose only device is the end of a span; data are lost one way"
        ", acknowledgements are not. The flows of a row run at the same time over a span each."
    )


def _lines(study: Study, quick: bool) -> None:
    """Count what lines lose."""
    count = 50_000 if quick else 600_000
    table = Table(
        ["channel", "sent", "lost", f"{CONFIDENCE:.1%} interval", "mean burst", "in theory"],
        caption="What the line loses",
    )
    states = {
        f"line{index}": Duplex.both(LinkState(10**10, 1_000_000, loss=loss))
        for index, loss in enumerate(CHANNELS.values())
    }
    with bare_spans(states, MTU) as spans:
        # One after the other: the prober is one thread.
        found = [probe([pair], 64, count, GAP_NS, PROBER)[0] for pair in spans.cables.values()]
        errors = sum(way.errors for ways in spans.counters().values() for way in ways)
    outside = 0
    for (name, loss), seen in zip(CHANNELS.items(), found, strict=True):
        arrived = [False] * count
        for sequence, _ in seen:
            arrived[sequence] = True
        lost = [not here for here in arrived]
        share = loss.of_frames(64)
        low, high = (
            two_state_interval(count, share, loss.clustering, CONFIDENCE)
            if loss.enter
            else binomial_interval(count, share, CONFIDENCE)
        )
        outside += not low <= sum(lost) <= high
        seen_burst = fmean(bursts(lost) or [math.nan])
        expected = mean_burst(loss)
        table.rows.append(
            [name, count, sum(lost), f"{low:.0f} to {high:.0f}", seen_burst, expected]
        )
        if loss.bad == 1.0:
            off = abs(seen_burst / expected - 1)
            what = "mean burst of Gilbert-Elliott loss, off theory"
            study.targets.append(Target(what, off, BURST_TOLERANCE))
    study.tables.append(table)
    study.targets.append(Target("channels outside their 99.9 % interval", outside, 0))
    study.targets.append(Target("frames that the emulator lost by itself", errors, 0))
    study.remarks.append(
        "The interval of a Gilbert-Elliott channel is a normal one with the variance of its "
        "clustered losses, (1 + r) / (1 - r) times the binomial's, r = 1 - enter - leave."
    )
