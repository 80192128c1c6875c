"""The rate of a span beside Kollaps, Mininet and Trickle: TCP goodput, and bytes on the wire."""

from __future__ import annotations

import math
import time
from typing import Any

from benchmarks import published
from benchmarks.guest import Shaped, shaped_in_guest
from benchmarks.hosts import SPAN, bare_spans, goodput_bps, joined_hosts, switched_hosts
from benchmarks.native import flood
from benchmarks.processes import processor_ns, relay_pids
from benchmarks.scoreboard import Study, Table, Target
from topologies.linkstate import ETHERNET_HEADER, Duplex, LinkState

DELAY_NS = 1_000_000
SLOW_BPS = 10**6
"""Below it a frame takes tens of ms, and a measurement tens of seconds."""
JUMBO_BPS = 10**9
"""Above it packets are of MTU 9000, below and at it of 1500."""
HEADERS = 52
"""Of IPv4 and TCP with time stamps."""
WIRE_ERROR = {False: 0.005, True: 0.02}
"""Allowed error of the wire rate, by whether packets are jumbo."""


def run(quick: bool) -> Study:
    """Shape each rate of the published table."""
    study = Study("shaping", "Shaping: one flow over one link")
    rows = published.rows("shaping")
    rates = [round((row["link_kbps"] or 0) * 1000) for row in rows]
    if quick:
        rates = [rate for rate in rates if rate >= SLOW_BPS]
    live = (
        {} if quick else shaped_in_guest(rates, {rate: _seconds(rate, quick)[0] for rate in rates})
    )
    wire = Table(
        ["link", "MTU", "bytes on the wire, Mbit/s", "error", "frames", "relay busy"],
        caption="The span alone, its queue never empty: time between frames that leave it",
    )
    tcp = Table(
        [
            *("link", "MTU", "at best", "spanlab, hosts at the span", "spanlab, through switches"),
            *("Mininet, here", "netem, here", "Kollaps", "Mininet 2.2.2"),
            *("Trickle", "Trickle, tuned"),
        ],
        caption="Goodput of one TCP flow, kbit/s",
    )
    switches = Table(
        ["link", "of the best", "Open vSwitch busy", "relay busy", "dropped outside the span"],
        caption="What the userspace switches do meanwhile",
    )
    for row in rows:
        rate_bps = round((row["link_kbps"] or 0) * 1000)
        if rate_bps not in rates:
            continue
        mtu = 9000 if rate_bps > JUMBO_BPS else 1500
        link = f"{rate_bps / 1e6:g} Mbit/s"
        best_bps = rate_bps * (mtu - HEADERS) / (mtu + ETHERNET_HEADER)
        found_bps, frames, busy = _on_the_wire(rate_bps, mtu, quick)
        error = found_bps / rate_bps - 1
        wire.rows.append([link, mtu, found_bps / 1e6, f"{error:+.4%}", frames, f"{busy:.0%}"])
        what = f"error of the wire rate at {link}"
        study.targets.append(Target(what, abs(error), WIRE_ERROR[mtu > 1500]))
        alone_bps = _hosts_at_the_span(rate_bps, mtu, quick)
        through = _through_switches(rate_bps, mtu, quick)
        here = live.get(rate_bps, Shaped())
        tcp.rows.append(
            [
                *(link, mtu, best_bps / 1e3, alone_bps / 1e3, through["goodput_bps"] / 1e3),
                *(here.mininet_kbps, here.netem_kbps),
                *(row[name] for name in ("kollaps", "mininet", "trickle_default", "trickle_tuned")),
            ]
        )
        switches.rows.append(
            [
                link,
                f"{through['goodput_bps'] / best_bps:.1%}",
                *(f"{through[name]:.0%}" for name in ("switch_busy", "relay_busy")),
                through["dropped"],
            ]
        )
        study.raw[link] = {"wire_bps": found_bps, "alone_bps": alone_bps, **through}
    study.tables += [wire, tcp, switches]
    study.remarks = [
        f"Reno, {DELAY_NS / 1e6:g} ms each way, a queue of one bandwidth-delay product and at "
        "least 32 frames. At best: wire rate x (MTU - 52) / (MTU + 14).",
        "Rates of the span are wire rates, Ethernet header included; a goodput near the nominal "
        "rate, as Trickle's, is a link that is too fast by its headers.",
    ]
    if not live:
        study.remarks.append("No column of this machine's Mininet: quick, or no user-mode Linux.")
    return study


def _on_the_wire(rate_bps: int, mtu: int, quick: bool) -> tuple[float, int, float]:
    """Return the rate of a span without hosts, the frames seen, and how busy its relay was."""
    slow = rate_bps < SLOW_BPS
    seconds = 15.0 if slow else 2.0 if quick else 6.0
    window = 16 if slow else 900
    state = LinkState(rate_bps, DELAY_NS, queue_packets=1000, mtu=mtu)
    with bare_spans({SPAN: Duplex.both(state)}, mtu) as span:
        pids = relay_pids(span)
        before = processor_ns(pids[0])
        (found,) = flood([span.cables[SPAN]], mtu + ETHERNET_HEADER, window, seconds, seconds / 10)
        busy = (processor_ns(pids[0]) - before) / 1e9 / seconds
    return found.rate_bps, found.received, busy


def _seconds(rate_bps: int, quick: bool) -> tuple[int, int]:
    """Return for how long TCP sends, and how much of the beginning is left out."""
    if rate_bps < SLOW_BPS:
        return 15, 0
    return (3, 1) if quick else (10, 2)


def _hosts_at_the_span(rate_bps: int, mtu: int, quick: bool) -> float:
    state = LinkState(rate_bps, DELAY_NS, mtu=mtu)
    with joined_hosts({SPAN: Duplex.both(state)}, mtu) as (_, pairs):
        return goodput_bps(pairs[0], *_seconds(rate_bps, quick))


def _through_switches(rate_bps: int, mtu: int, quick: bool) -> dict[str, Any]:
    """Send the flow as in a run, two switches and the access links included."""
    state = LinkState(rate_bps, DELAY_NS, mtu=mtu)
    access_bps = max(10**8, rate_bps * 5 // 4)
    with switched_hosts(Duplex.both(state), mtu, access_bps) as (network, pair):
        seconds, omit_s = _seconds(rate_bps, quick)
        pids = [network.lab._vswitchd_pid, *relay_pids(network.impairer)]
        drops = sum(network.lab.unmodelled_drops().values())
        before, begin = [processor_ns(pid) for pid in pids], time.monotonic()
        goodput = goodput_bps(pair, seconds, omit_s)
        elapsed = time.monotonic() - begin
        spent = [processor_ns(pid) - then for pid, then in zip(pids, before, strict=True)]
        dropped = sum(network.lab.unmodelled_drops().values()) - drops
    busy = [math.fsum(part) / 1e9 / elapsed for part in ([spent[0]], spent[1:])]
    return {
        "goodput_bps": goodput,
        "switch_busy": busy[0],
        "relay_busy": busy[1],
        "dropped": dropped,
    }
