"""Round trips over the running network, and lateness, while processors are idle and busy."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from benchmarks.estimators import quantile
from benchmarks.hosts import SPAN, Pair, switched_hosts
from benchmarks.processes import busy_processors
from benchmarks.scoreboard import Study, Table, Target
from experiments.network import Network
from experiments.probing import intended_round_trip_ns
from topologies.emulation.impairer import lateness_quantile_us
from topologies.linkstate import Duplex, LinkState

DELAYS_MS = (2, 5, 10, 40)
RATE_BPS, MTU = 400 * 10**6, 9000
GAP_S = 0.01
ERROR_MS, LATENESS_US = 0.1, 500


def run(quick: bool) -> Study:
    """Ping over one span at several delays, calibrated as before a run."""
    study = Study("load", "Round trips, idle and under load")
    count = 100 if quick else 500
    table = Table(
        [
            *("round trip asked for, ms", "processors", "mean error, ms", "p50", "p99", "largest"),
            *("deviation from p50 at p99, ms", "lateness p99, us, at most"),
        ]
    )
    errors, lateness = [], []
    states = [Duplex.both(LinkState(RATE_BPS, delay * 10**6, mtu=MTU)) for delay in DELAYS_MS]
    with switched_hosts(states[0], MTU, 2 * RATE_BPS) as (network, pair):
        for duplex in states:
            network.calibrate({SPAN: duplex})
            intended_ms = intended_round_trip_ns(duplex) / 1e6
            for name in ("idle", "busy"):
                with busy_processors() if name == "busy" else nullcontext():
                    times, late_us = _ping(network, pair, count)
                error = fmean(times) - intended_ms
                middle, far = quantile(times, 0.5), quantile(times, 0.99)
                if name == "idle":
                    errors.append(error)
                else:
                    lateness.append(late_us)
                table.rows.append(
                    [
                        *(round(intended_ms, 3), name, round(error, 4), middle, far, max(times)),
                        *(far - middle, late_us),
                    ]
                )
    study.tables.append(table)
    if not quick:
        lateness.append(_training(study))
    worst = max(errors, key=abs)
    study.targets += [
        Target("mean error of a round trip, idle, the worst", abs(worst), ERROR_MS, unit="ms"),
        Target(
            "lateness p99 with busy processors, the worst", max(lateness), LATENESS_US, unit="us"
        ),
    ]
    study.remarks += [
        f"Pings {GAP_S * 1000:g} ms apart between two workers, through two Open vSwitch switches "
        "at each campus's side of the span, after the calibration that precedes a run. Busy: an "
        "endless loop on every processor at ordinary priority; ping runs at nice -10.",
        "Lateness is the upper edge of the bucket that holds the 99th percentile.",
    ]
    return study


def _training(study: Study) -> float:
    """Train over three spans; return the worst lateness p99 of them (us)."""
    scenario = Path(__file__).with_name("training.yaml")
    with TemporaryDirectory(prefix="spanlab-benchmarks-") as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "experiments", "run", str(scenario), "--out", str(out)]
        subprocess.run(command, check=True, capture_output=True, timeout=180)
        result = json.loads((out / "result.json").read_text())
    table = Table(
        ["check", "of", "asked for", "measured", "unit"],
        caption="A run of `benchmarks/training.yaml`",
    )
    fidelity = result["fidelity"]
    for check in fidelity["checks"]:
        if check["name"] in ("lateness p99", "round trip"):
            names = ("name", "subject", "intended", "measured", "unit")
            table.rows.append([check[name] for name in names])
    study.tables.append(table)
    study.remarks.append(f"The run's own verdict: {fidelity['verdict']}.")
    checks = fidelity["checks"]
    return max(float(check["measured"]) for check in checks if check["name"] == "lateness p99")


def _ping(network: Network, pair: Pair, count: int) -> tuple[list[float], float]:
    """Return the times (ms) of ``count`` pings, and the relay's lateness p99 meanwhile (us)."""
    before = network.counters()[SPAN]
    options = ["-i", str(GAP_S), "-c", str(count + 5), "-W", "2", pair.address]
    with pair.near(["nice", "-n", "-10", "ping", *options]) as ping:
        output, _ = ping.communicate(timeout=count * GAP_S + 30)
    if ping.returncode:
        raise subprocess.SubprocessError(f"ping: {output[-300:]}")
    after = network.counters()[SPAN]
    histogram = [
        sum(way.lateness[i] for way in after) - sum(way.lateness[i] for way in before)
        for i in range(len(after[0].lateness))
    ]
    times = [float(text) for text in re.findall(r"time=([0-9.]+) ms", output)]
    return times[5:], lateness_quantile_us(histogram, 0.99)
