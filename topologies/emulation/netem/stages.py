"""A link state in ``tc``'s words, stage by stage, and whether they are in force.

A frame passes five stages: a *gate* (open or shut), a *size* limit, a *queue* by bytes (RED's, or a
tail drop's), the *rate*, which has the queue by packets, and the *line* with all that may happen on
it. A queue by bytes is a token bucket in front of the rate: while it is not asked for it lets
everything pass, while it is, the rate has no limit. The bucket's depth, a burst, then waits in the
rate, so that frames leave as regularly as the rate's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

from topologies.jitter import quantiles
from topologies.linkstate import ETHERNET_HEADER, Jitter, LinkState, Red

UNLIMITED = 2_000_000_000
"""Packets, which netem would have to hold; it takes memory for those it holds only."""
PASSING = "tbf rate 100gbit burst 1000000 limit 1000000"
"""A bucket that holds nothing back. Its limit is that of the queue which RED replaces."""
IN_ORDER = "rate 1000gbit"
"""netem keeps the order of frames of which one waits for the other's transmission only."""
RED_WEIGHT_LOG = 9
"""RED averages with a weight of 1/512, as its authors advise and the relay does."""
RED_LARGEST = 1 << 22
"""Threshold (B) that the kernel's average, 32 bits of which 9 are fractions, cannot hold."""
NO_RED = (500_000_000, 501_000_000)
"""Thresholds (B) that no queue reaches."""

ENTRIES = 4096
SIGMA, LARGEST = 8192, 32767
"""netem's tables hold 16-bit numbers, of which so many are one standard deviation."""


@dataclass(frozen=True)
class Words:
    """What to tell ``tc`` of each stage of one direction."""

    gate: str
    size: str
    bucket: str
    red: str
    rate: str
    line: str

    @property
    def by_bytes(self) -> bool:
        """Return whether the queue by bytes is in use."""
        return self.bucket != PASSING


def words_of(state: LinkState) -> Words:
    """Return the words for a state that `unable` has no objection to."""
    by_bytes = bool(state.red or state.queue_bytes)
    limit = UNLIMITED if by_bytes else packets_of(state)
    burst = burst_bytes(state)
    return Words(
        gate="pipe" if state.up else "drop",
        size=f"police mtu {_frame(state)} conform-exceed drop/pipe",
        bucket=f"tbf rate {state.rate_bps}bit burst {burst} limit {burst}" if by_bytes else PASSING,
        red=_red_words(state) if by_bytes else _red_options(UNLIMITED // 2, None, 10**10),
        rate=f"netem limit {limit} rate {state.rate_bps}bit",
        line=_line_words(state),
    )


PASSING_BPS = 10**11


def packets_of(state: LinkState) -> int:
    """Return the limit of the queue in packets; a default one is in full frames."""
    return state.queue_packets or math.ceil(state.queue_limit_bytes / _frame(state))


def burst_bytes(state: LinkState) -> int:
    """Return the depth of the bucket: a millisecond for late timers, at least two full frames."""
    return max(2 * _frame(state), state.rate_bps // 8000)


def unable(state: LinkState) -> str | None:
    """See `Impairer.unable`."""
    loss, red, frame, burst = state.loss, state.red, _frame(state), burst_bytes(state)
    if loss.bit_error_rate:
        share = replace(loss, bit_error_rate=0, pattern="").of_frames(0)
        share = 1 - (1 - share) * (1 - loss.bit_error_rate) ** (8 * frame)
        return (
            "netem has no loss by bit errors: state the loss of frames "
            f"(that of full ones is {share:.3g}), or choose the relay"
        )
    if loss.pattern:
        return "netem has no loss by a pattern: state the loss of frames, or choose the relay"
    if state.queue_packets and (state.queue_bytes or red):
        return (
            "netem limits a queue in packets, or in bytes, or by RED in bytes: "
            f"state the queue's bytes alone ({state.queue_limit_bytes} B), or choose the relay"
        )
    if state.queue_bytes and state.queue_bytes < burst + frame:
        return (
            f"netem's queue in bytes holds {burst + frame} B at least at this rate and MTU: state "
            f"it in packets ({packets_of(state)}), or choose the relay"
        )
    if red and red.min_bytes <= burst + frame:
        return (
            f"netem's RED begins above {burst + frame} B at this rate and MTU, not at "
            f"{red.min_bytes} B: raise the queue's red.min, or choose the relay"
        )
    if red and red.max_bytes >= RED_LARGEST:
        return (
            f"netem's RED ends below {RED_LARGEST} B, not at {red.max_bytes} B: "
            "lower the queue's red.max, or choose the relay"
        )
    return None


def _frame(state: LinkState) -> int:
    return state.mtu + ETHERNET_HEADER


def _red_words(state: LinkState) -> str:
    """Return RED's words, or those of a tail drop by bytes; the burst waits behind it."""
    burst, red = burst_bytes(state), state.red
    if red:
        red = replace(red, min_bytes=red.min_bytes - burst, max_bytes=red.max_bytes - burst)
    return _red_options(state.queue_limit_bytes - burst, red, state.rate_bps)


def _red_options(limit: int, red: Red | None, rate_bps: int) -> str:
    low, high = (red.min_bytes, red.max_bytes) if red else NO_RED
    packet = max(1, min(1000, low // 4)) if red else 1000
    burst = _averaged_burst(low / packet) if red else low // packet
    probability = red.probability if red else 0.02
    return (
        f"red limit {limit} min {low} max {high} avpkt {packet} burst {burst} "
        f"bandwidth {rate_bps}bit probability {probability:.9f}{' ecn' if red and red.ecn else ''}"
    )


def _averaged_burst(low_packets: float) -> int:
    """Return the least burst from which ``tc`` concludes the weight 2^-`RED_WEIGHT_LOG`.

    Its rule (after Floyd and Jacobson): a burst of so many packets into an empty queue brings the
    average to the lower threshold. It tries the weights from 1/2 downwards.
    """
    burst = math.ceil(low_packets)
    weight = 2.0 ** -(RED_WEIGHT_LOG - 1)
    while burst + 1 - low_packets <= (1 - (1 - weight) ** burst) / weight:
        burst += 1
    return burst


def _line_words(state: LinkState) -> str:
    loss, jitter = state.loss, state.jitter
    words = [f"netem limit {UNLIMITED} delay {state.delay_ns / 1000:.3f}us"]
    if jitter:
        sigma_us = jitter.deviation_ns * table_stretch(jitter) / 1000
        words.append(f"{sigma_us:.3f}us distribution {table_name(jitter)}")
    if loss.enter:
        chances = (loss.enter, loss.leave, loss.bad, loss.good)
        words.append(f"loss gemodel {' '.join(map(_percent, chances))}")
    else:
        words.append(f"loss random {_percent(loss.good)}")
    words.append(f"duplicate {_percent(state.duplicate)} corrupt {_percent(state.corrupt)}")
    if state.reorder:
        words.append(f"reorder {_percent(state.reorder)}")
    # What is not stated would stay as it was.
    words.append("rate 0bit" if jitter and jitter.reorder else IN_ORDER)
    return " ".join(words)


def _percent(share: float) -> str:
    return f"{share * 100:.8f}%"


def table_name(jitter: Jitter) -> str:
    """Return the name of a jitter's shape, of whatever deviation."""
    return f"{jitter.distribution}{crc32(repr(jitter.table_ns).encode()):08x}"


def table_stretch(jitter: Jitter) -> int:
    """Return by how much a shape is shrunk, and its deviation stretched, to fit netem's table."""
    shape = _shape(jitter)
    return max(1, math.ceil(max(-shape[0], shape[-1]) * SIGMA / LARGEST))


def table_text(jitter: Jitter) -> str:
    """Return the shape as a file that ``tc`` reads."""
    shape, unit = _shape(jitter), SIGMA / table_stretch(jitter)
    steps = len(shape) - 1
    entries = []
    for entry in range(ENTRIES):
        place, rest = divmod((entry + 0.5) * steps / ENTRIES, 1)
        low, high = shape[int(place)], shape[int(place) + 1]
        entries.append(round((low + rest * (high - low)) * unit))
    return "\n".join(map(str, entries)) + "\n"


def _shape(jitter: Jitter) -> list[float]:
    """Return its quantiles in standard deviations."""
    unit = 10**9
    return [value / unit for value in quantiles(replace(jitter, deviation_ns=unit))]


def difference(state: LinkState, shown: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Compare a state with what ``tc`` says is in force; return the first difference.

    ``shown`` has what it says by stage: gate, bucket, red, rate and line.
    """
    for name, asked in _expected(state).items():
        stage, *path = name.split(".")
        found: Any = shown.get(stage, {})
        found = found if stage == "gate" else found.get("options", {})
        for key in path:
            found = found.get(key, {}) if isinstance(found, dict) else {}
        if isinstance(asked, str | bool):
            same = found == asked
        else:
            found = found or 0
            # It prints six digits, times in whole microseconds, and probabilities are of 32 bits.
            least = 2e-6 if path[0] == "delay" else 1e-9
            same = isinstance(found, int | float) and abs(found - asked) <= least + 1e-5 * asked
        if not same:
            return f"{name} {asked} was asked for, {found or 'nothing'} is in force"
    return None


def _expected(state: LinkState) -> dict[str, float | str | bool]:
    """Return what ``tc`` will say; a number that it leaves out is 0."""
    by_bytes = bool(state.red or state.queue_bytes)
    loss, jitter, red = state.loss, state.jitter, state.red
    burst = burst_bytes(state)
    expected: dict[str, float | str | bool] = {
        "gate.control_action.type": "pipe" if state.up else "drop",
        "bucket.rate": (state.rate_bps if by_bytes else PASSING_BPS) / 8,
        "rate.limit": UNLIMITED if by_bytes else packets_of(state),
        "rate.rate.rate": state.rate_bps / 8,
        "line.limit": UNLIMITED,
        "line.delay.delay": state.delay_ns / 1e9,
        "line.delay.jitter": jitter.deviation_ns * table_stretch(jitter) / 1e9 if jitter else 0,
        "line.loss-random.loss": 0 if loss.enter else loss.good,
        "line.duplicate.duplicate": state.duplicate,
        "line.corrupt.corrupt": state.corrupt,
        "line.gap": 1 if state.reorder else 0,
        "line.rate.rate": 0 if jitter and jitter.reorder else 1.25e11,
    }
    if state.reorder:
        expected["line.reorder.reorder"] = state.reorder
    if loss.enter:
        for key, chance in zip(
            ("p", "r", "1-h", "1-k"), (loss.enter, loss.leave, loss.bad, loss.good), strict=True
        ):
            expected[f"line.loss-gemodel.{key}"] = chance
    if by_bytes:
        expected["red.limit"] = state.queue_limit_bytes - burst
    if red:
        expected |= {
            "red.min": red.min_bytes - burst,
            "red.max": red.max_bytes - burst,
            "red.ecn": red.ecn,
            "red.probability": red.probability,
            "red.ewma": RED_WEIGHT_LOG,
        }
    return expected
