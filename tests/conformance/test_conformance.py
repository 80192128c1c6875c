"""Every back end does to real packets what a link state says, measured from outside.

The same assertions for each: tolerances follow from the number of frames (4 sigma of the binomial,
a false alarm in 16,000), and from what the switches and two busy cores may add to a delay.
"""

from __future__ import annotations

import math
import statistics
from itertools import pairwise
from typing import Any

import pytest

from tests.conformance.agent import HEADERS
from tests.conformance.cases import (
    ASYMMETRIC,
    BERNOULLI,
    BITS,
    BULK_FRAME,
    BURSTS,
    CASES,
    CE,
    ECT0,
    FAT_FRAME,
    JITTER_NS,
    JITTERS,
    LIVE,
    LIVE_CHANGES,
    LIVE_FLOW,
    MIXED,
    MS,
    NARROW,
    OVERLOAD,
    PATTERN,
    PLAIN,
    QUEUE_BYTES,
    QUEUE_PACKETS,
    RED,
    SPEEDS,
    THIN_FRAME,
    TRACE,
    TRACE_DELAYS_NS,
    TRACE_STEP_NS,
)
from tests.conformance.draws import FRAMES, LOSSY
from tests.conformance.light import STEP_NS
from tests.conformance.readings import (
    SWITCHES_NS,
    UNDISTURBED,
    arrivals,
    assert_delay,
    binomial,
    delays_ns,
    drained,
    flows,
    rate_bps,
)
from tests.conformance.setups import SETUPS, Setup
from tests.jobs import Jobs
from topologies.jitter import quantiles

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_ovs,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

LIGHT_NS = {"here": 20 * MS, "guest": 50 * MS}
"""In which a span's switches tell that its link went down or came up; a guest has one slow
processor for the span, the switches and whoever listens."""
REFUSED = {"netem": {"lost by bits", "lost by a pattern"}, "relay": set[str]()}


@pytest.fixture(scope="module", params=[pytest.param(it, marks=it.marks) for it in SETUPS], ids=str)
def setup(request: pytest.FixtureRequest) -> Setup:
    chosen: Setup = request.param
    return chosen


@pytest.fixture(scope="module")
def found(setup: Setup, jobs: Jobs) -> Any:
    return setup.found(jobs.folder_of(setup.job))


def test_what_is_refused_is_refused_by_name(found: Any, setup: Setup) -> None:
    refused = {name: case for name, case in found["cases"].items() if "refused" in case}
    assert set(refused) == REFUSED[setup.impairer]
    for case in refused.values():
        assert "choose the relay" in case["refused"]
        assert case["raised"] == case["refused"]


@pytest.mark.parametrize("name", SPEEDS)
def test_delay(found: Any, name: str) -> None:
    assert_delay(flows(found, name)[0], SPEEDS[name])


@pytest.mark.parametrize("name", SPEEDS)
def test_rate(found: Any, name: str) -> None:
    assert rate_bps(flows(found, name)[1], BULK_FRAME) == pytest.approx(
        SPEEDS[name].rate_bps, rel=0.01
    )


@pytest.mark.parametrize("name", SPEEDS)
def test_nothing_is_lost_that_should_not_be(found: Any, name: str) -> None:
    for flow in flows(found, name):
        assert arrivals(flow) == [number for number, _, _ in flow["sent"]]
        assert flow["valid"] == len(flow["sent"])
        assert flow["bad_headers"] == 0


def test_both_directions_are_their_own(found: Any) -> None:
    there, back, filled, filled_back = flows(found, "asymmetric")
    forward, backward = ASYMMETRIC.ways
    assert_delay(there, forward)
    assert_delay(back, backward)
    assert rate_bps(filled, BULK_FRAME) == pytest.approx(forward.rate_bps, rel=0.01)
    assert rate_bps(filled_back, BULK_FRAME) == pytest.approx(backward.rate_bps, rel=0.01)
    assert len(filled["seen"]) == len(filled["sent"])
    lost = len(filled_back["sent"]) - len(filled_back["seen"])
    assert lost == binomial(len(filled_back["sent"]), backward.loss.good)


@pytest.mark.parametrize("name", JITTERS)
def test_jitter_keeps_the_order(found: Any, name: str) -> None:
    (flow,) = flows(found, f"jitter {name}")
    assert arrivals(flow) == [number for number, _, _ in flow["sent"]]
    delays = delays_ns(flow).values()
    # A frame waits for the one before it, so the least is the distribution's, and few are there.
    least = CASES[f"jitter {name}"].duplex.forward.delay_ns + quantiles(JITTERS[name])[0]
    assert min(delays) >= least - 1000
    assert statistics.pstdev(delays) > JITTER_NS / 4


@pytest.mark.parametrize("name", JITTERS)
def test_jitter_has_its_distribution_and_may_reorder(found: Any, name: str) -> None:
    (flow,) = flows(found, f"jitter {name}, reordering")
    numbers = arrivals(flow)
    assert sorted(numbers) == [number for number, _, _ in flow["sent"]]
    assert sum(then < now for now, then in pairwise(numbers)) > len(numbers) / 20
    state = CASES[f"jitter {name}, reordering"].duplex.forward
    assert state.jitter is not None
    table = quantiles(state.jitter)
    delays = sorted(delays_ns(flow).values())
    for share in (0.05, 0.2, 0.35, 0.6, 0.8, 0.95):
        # The empirical quantile lies between those of a little less and a little more.
        margin = 4 * math.sqrt(share * (1 - share) / len(delays))
        low, high = (
            table[round(min(1, max(0, share + side)) * (len(table) - 1))]
            for side in (-margin, margin)
        )
        seen = delays[int(share * len(delays))] - state.delay_ns
        assert low - 1000 <= seen <= high + SWITCHES_NS, f"{share:.0%} of the frames"


def test_frames_are_lost_at_random(found: Any) -> None:
    (flow,) = flows(found, "lost")
    lost = len(flow["sent"]) - len(flow["seen"])
    assert lost == binomial(len(flow["sent"]), BERNOULLI.good)
    assert arrivals(flow) == sorted(set(arrivals(flow)))
    counters = found["cases"]["lost"]["counters"][0]
    assert counters["lost"] == lost
    assert counters["packets"] == len(flow["sent"])
    assert counters["queue_drops"] == counters["errors"] == 0


def test_frames_are_lost_in_bursts(found: Any) -> None:
    (flow,) = flows(found, "lost in bursts")
    came, count = set(arrivals(flow)), len(flow["sent"])
    lost = [number for number in range(count) if number not in came]
    assert len(lost) == binomial(count, BURSTS.of_frames(THIN_FRAME), BURSTS.clustering)
    bursts = sum(number - 1 not in lost for number in lost)
    # The length of a burst is geometric: mean 1/leave, variance (1 - leave) / leave^2.
    sigma = math.sqrt((1 - BURSTS.leave) / bursts) / BURSTS.leave
    assert len(lost) / bursts == pytest.approx(1 / BURSTS.leave, abs=4 * sigma)


def test_longer_frames_are_lost_more_often_by_bit_errors(found: Any) -> None:
    for flow, frame_bytes in zip(
        flows(found, "lost by bits"), (THIN_FRAME, FAT_FRAME), strict=True
    ):
        lost = len(flow["sent"]) - len(flow["seen"])
        assert lost == binomial(len(flow["sent"]), BITS.of_frames(frame_bytes))


def test_a_pattern_of_losses_is_followed_exactly(found: Any) -> None:
    (flow,) = flows(found, "lost by a pattern")
    pattern = PATTERN.pattern
    kept = [n for n, _, _ in flow["sent"] if pattern[n % len(pattern)] == "0"]
    assert arrivals(flow) == kept


def test_frames_come_twice(found: Any) -> None:
    (flow,) = flows(found, "duplicated")
    numbers = arrivals(flow)
    twice = len(numbers) - len(set(numbers))
    assert set(numbers) == {number for number, _, _ in flow["sent"]}
    assert twice == binomial(len(flow["sent"]), 0.1)
    assert found["cases"]["duplicated"]["counters"][0]["duplicated"] == twice


def test_a_corrupted_frame_has_one_wrong_bit_and_no_valid_checksum(found: Any) -> None:
    (flow,) = flows(found, "corrupted")
    # Others send too, and what is late of an earlier flow has another length.
    sent, seen = (
        [int(frame, 16) for (frame,) in flow[way] if len(frame) == 2 * FAT_FRAME]
        for way in ("sent", "seen")
    )
    awaited = dict.fromkeys(sent)
    intact, harmless, wrong = 0, 0, 0
    for came in seen:
        # One whose header is wrong may be lost, or may be overtaken as a switch asks what it is.
        was = (
            came if came in awaited else next(it for it in awaited if (came ^ it).bit_count() == 1)
        )
        del awaited[was]
        intact += came == was
        wrong += came != was
        # The first 14 bytes are Ethernet's, which no checksum of the datagram covers.
        harmless += (came ^ was).bit_length() > 8 * (FAT_FRAME - 14)
    missing = len(awaited)
    assert wrong > 0
    assert wrong + missing == binomial(len(sent), 0.2)
    in_headers = 0.2 * HEADERS / FAT_FRAME
    assert missing <= len(sent) * in_headers + 4 * math.sqrt(len(sent) * in_headers)
    assert intact <= flow["valid"] <= intact + harmless


def test_reordered_frames_skip_the_delay(found: Any) -> None:
    (flow,) = flows(found, "reordered")
    delays = delays_ns(flow)
    early = {number for number, delay in delays.items() if delay < PLAIN.delay_ns}
    assert len(early) == binomial(len(flow["sent"]), 0.1)
    others = [number for number in arrivals(flow) if number not in early]
    assert others == sorted(others)
    assert len(delays) == len(flow["sent"])


@pytest.mark.parametrize(
    ("name", "holds"),
    [("full by packets", QUEUE_PACKETS), ("full by bytes", QUEUE_BYTES // FAT_FRAME)],
)
def test_a_full_queue_drops_its_tail(found: Any, name: str, holds: int) -> None:
    (flow,) = flows(found, name)
    came = arrivals(flow)
    assert holds - 1 <= len(came) <= holds + drained(flow) + 1
    assert came[:holds] == list(range(holds))
    frame_ns = FAT_FRAME * 8e9 / NARROW["rate_bps"]
    # Frames leave one by one; where a pause made some late, the median tells when the others left.
    sent, delays = {number: stamp for number, stamp, _ in flow["sent"]}, delays_ns(flow)
    left = [sent[n] + delays[n] - place * frame_ns for place, n in enumerate(came)]
    first_ns = statistics.median(left) - NARROW["delay_ns"]
    deepest_ns = max(first_ns + place * frame_ns - sent[n] for place, n in enumerate(came))
    assert deepest_ns == pytest.approx(holds * frame_ns, abs=2 * frame_ns + SWITCHES_NS)
    counters = found["cases"][name]["counters"][0]
    assert counters["queue_drops"] == len(flow["sent"]) - len(came)
    assert counters["lost"] == counters["early_drops"] == 0


def test_red_drops_early(found: Any) -> None:
    (flow,) = flows(found, "red")
    state, counters = CASES["red"].duplex.forward, found["cases"]["red"]["counters"][0]
    assert counters["early_drops"] == len(flow["sent"]) - len(flow["seen"])
    assert counters["queue_drops"] == counters["lost"] == counters["marked"] == 0
    # In balance, RED drops what comes too much: hits are spread evenly up to 1/p frames apart,
    # which is 2p / (1 + p) of them, and p follows from the average length.
    steady = [stamp for number, stamp, _ in flow["sent"] if number > len(flow["sent"]) / 2]
    offered_bps = FAT_FRAME * 8e9 * (len(steady) - 1) / (steady[-1] - steady[0])
    assert offered_bps == pytest.approx(OVERLOAD * state.rate_bps, rel=0.05), "the sender kept up"
    share = 1 - state.rate_bps / offered_bps
    probability = share / (2 - share)
    length = RED.min_bytes + probability / RED.probability * (RED.max_bytes - RED.min_bytes)
    late = [delay for number, delay in delays_ns(flow).items() if number > len(flow["sent"]) / 2]
    queue_bytes = (statistics.fmean(late) - state.delay_ns) * state.rate_bps / 8e9
    assert queue_bytes == pytest.approx(length, rel=0.25)


def test_red_marks_what_can_be_marked_and_drops_the_rest(found: Any) -> None:
    (flow,) = flows(found, "red with ecn")
    counters = found["cases"]["red with ecn"]["counters"][0]
    came = {number: tos for number, _, tos in flow["seen"]}
    # By number: a mark may be seen at the sender too, where the kernel did not copy the frame.
    sent = {number: MIXED[number % len(MIXED)] for number, _, _ in flow["sent"]}
    assert all(came.get(number, 0) & CE for number, tos in sent.items() if tos == ECT0)
    marked = [number for number, tos in came.items() if tos & CE == CE]
    dropped = set(sent) - set(came)
    assert all(sent[number] == ECT0 for number in marked)
    assert all(sent[number] == 0 for number in dropped)
    assert len(marked) == counters["marked"] > 0
    assert len(dropped) == counters["early_drops"] > 0
    assert counters["queue_drops"] == 0
    assert flow["bad_headers"] == 0
    assert flow["valid"] == len(came)


def test_frames_above_the_mtu_are_dropped(found: Any) -> None:
    fits, too_long = flows(found, "oversize")
    assert len(fits["seen"]) == len(fits["sent"])
    assert too_long["seen"] == []
    counters = found["cases"]["oversize"]["counters"][0]
    assert counters["oversize_drops"] == len(too_long["sent"])


def test_what_comes_in_is_what_goes_out_and_what_was_dropped(found: Any) -> None:
    for name, case in found["cases"].items():
        for counters in case.get("counters", []):
            drops = sum(
                counters[f"{cause}_drops"] for cause in ("queue", "early", "down", "oversize")
            )
            left = counters["packets"] - drops - counters["lost"] + counters["duplicated"]
            assert counters["delivered"] == left, name
            assert counters["errors"] == 0, name


def test_live_changes_lose_and_reorder_nothing(found: Any) -> None:
    assert len(found["live"]["moments"]) == LIVE_CHANGES
    assert arrivals(found["live"]) == list(range(LIVE_FLOW.count))


def test_a_live_change_never_passes_through_an_unimpaired_instant(found: Any) -> None:
    live = found["live"]
    delays = [LIVE[place % len(LIVE)].delay_ns for place in range(LIVE_CHANGES + 1)]
    begins = [begin for begin, _ in live["moments"]]
    ends = [end for _, end in live["moments"]]
    sent = {number: stamp for number, stamp, _ in live["sent"]}
    for number, seen, _ in live["seen"]:
        # Between the begin and the end of a change either state may hold, but no third one; a frame
        # that was sent before a change may enter the span after it.
        first = sum(end <= sent[number] for end in ends)
        last = sum(begin <= seen for begin in begins)
        assert seen - sent[number] >= min(delays[first : last + 1])


def test_a_replayed_trace_is_in_force_state_by_state(found: Any) -> None:
    replayed = found["replayed"]
    sent = {number: stamp for number, stamp, _ in replayed["sent"]}
    assert arrivals(replayed) == list(sent)
    delays = delays_ns(replayed)
    settle_ns = max(TRACE_DELAYS_NS) + 10 * MS
    for (offset_ns, _), delay_ns in zip(TRACE, TRACE_DELAYS_NS, strict=True):
        begin = replayed["begin_ns"] + offset_ns
        # Frames of the state before have come, and nothing of the next state has begun.
        own = [
            delays[number]
            for number, stamp in sent.items()
            if begin + settle_ns < stamp < begin + TRACE_STEP_NS - 10 * MS
        ]
        assert len(own) > 20
        assert min(own) >= delay_ns
        assert sorted(own)[int(UNDISTURBED * len(own))] <= delay_ns + SWITCHES_NS


def test_a_span_that_is_down_carries_nothing_until_it_is_up_again(found: Any) -> None:
    assert found["down"]["arrived"] == [50, 0, 50]
    assert found["down"]["down_drops"] >= 50


def test_frames_under_way_when_the_span_goes_down_arrive(found: Any) -> None:
    caught = found["caught"]
    assert arrivals(caught) == list(range(50))
    assert caught["seen"][0][1] > caught["cut_ns"], "they were under way"


def test_both_switches_see_a_span_lose_its_light_and_get_it_back(found: Any, setup: Setup) -> None:
    in_time_ns = LIGHT_NS["guest" if setup.guest else "here"]
    asked = found["light"]["asked"]
    for told in found["light"]["told"]:
        assert [up for _, up in told] == [up for _, up in asked]
        late_ns = sorted(seen - moment for (seen, _), (moment, _) in zip(told, asked, strict=True))
        assert late_ns[0] >= -MS, "the switch tells whole milliseconds"
        # Every change is told before the next one; what a busy machine holds up are few.
        assert statistics.median(late_ns) <= in_time_ns
        assert late_ns[-1] <= STEP_NS


def test_the_same_seed_draws_the_same_losses(found: Any) -> None:
    if "draws" not in found:
        pytest.skip("the kernel draws netem's losses, and the relay's are drawn once")
    draws = found["draws"]
    assert draws["seed 5"] == draws["seed 5 again"] != draws["seed 6"]
    assert len(draws["seed 5"]) == binomial(FRAMES, 1 - LOSSY.loss.good)


def test_a_state_that_somebody_else_changes_is_told(found: Any) -> None:
    told = found["astray"]
    assert told["as set"] == told["replayed"] == told["set again"] == {}
    (how,) = told["changed"].values()
    assert "rate" in how
    assert "was asked for" in how


def test_nothing_was_dropped_where_nothing_is_modelled(found: Any) -> None:
    assert found["unmodelled"] == {}


def test_the_products_own_measurement_agrees(found: Any) -> None:
    assert {check["name"] for check in found["checks"]} >= {"round trip", "rate", "loss"}
    assert [check for check in found["checks"] if not check["ok"]] == []
