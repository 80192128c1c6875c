"""Rates from counters, none of them ever negative."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.counters import Counters, FlowCount, FlowRate, PortCount, PortRate
from controller.wiring import Wiring
from topologies.graph import build_graph
from topologies.spec import NetworkSpec

SPEC = {
    "campuses": {"north": {"workers": 2}, "south": {"workers": 2}},
    "spans": {"north-south": {"rate": "1 Gbit/s", "delay": "1 ms"}},
}
WIRING = Wiring(build_graph(NetworkSpec.model_validate(SPEC)))


@pytest.fixture
def counters() -> Counters:
    return Counters(WIRING)


def test_one_answer_has_no_rate(counters: Counters) -> None:
    counters.ports(1, {1: PortCount(10, 10, 1000, 1000)}, 5.0)
    counters.flows(1, {("north", "south-w1"): FlowCount(10, 1000)}, 5.0)
    assert counters.port_rates() == {}
    assert counters.flow_rates() == {}
    assert counters.matrix() == {}


def test_a_rate_is_what_came_between_two_answers(counters: Counters) -> None:
    counters.ports(1, {1: PortCount(100, 200, 1_000, 2_000, 1, 2, 3, 4)}, 5.0)
    counters.ports(1, {1: PortCount(110, 240, 2_000, 6_000, 2, 4, 6, 8)}, 7.0)
    assert counters.port_rates() == {
        (1, 1): PortRate(
            rx_bps=4_000, tx_bps=16_000, rx_pps=5, tx_pps=20, dropped_pps=1.5, errors_pps=3.5
        )
    }
    counters.ports(1, {1: PortCount(110, 240, 2_000, 6_000, 2, 4, 6, 8)}, 8.0)
    assert counters.port_rates() == {(1, 1): PortRate(0, 0, 0, 0, 0, 0)}


def test_ports_of_two_switches_are_told_apart(counters: Counters) -> None:
    for now_s in range(2):
        counters.ports(1, {1: PortCount(rx_bytes=100 * now_s), 2: PortCount()}, now_s)
        counters.ports(2, {1: PortCount(rx_bytes=300 * now_s)}, now_s)
    assert {end: rate.rx_bps for end, rate in counters.port_rates().items()} == {
        (1, 1): 800,
        (1, 2): 0,
        (2, 1): 2_400,
    }


def test_a_counter_that_goes_backwards_starts_anew(counters: Counters) -> None:
    counters.ports(1, {1: PortCount(100, 100, 9_000, 9_000), 2: PortCount()}, 1.0)
    counters.ports(1, {1: PortCount(200, 1, 18_000, 90), 2: PortCount()}, 2.0)
    assert set(counters.port_rates()) == {(1, 2)}
    counters.ports(1, {1: PortCount(210, 2, 18_900, 180), 2: PortCount()}, 3.0)
    assert counters.port_rates()[1, 1].tx_bps == 720


def test_what_is_new_or_gone_has_no_rate(counters: Counters) -> None:
    flow, other = ("north", "south-w1"), ("north", "south-w2")
    counters.flows(1, {flow: FlowCount(1, 100)}, 1.0)
    counters.flows(1, {flow: FlowCount(2, 200), other: FlowCount(50, 5_000)}, 2.0)
    assert counters.flow_rates() == {flow: FlowRate(800, 1)}
    counters.flows(1, {other: FlowCount(51, 5_100)}, 3.0)
    assert counters.flow_rates() == {other: FlowRate(800, 1)}


@pytest.mark.parametrize("now_s", [1.0, 0.5])
def test_an_answer_no_later_than_the_last_changes_nothing(counters: Counters, now_s: float) -> None:
    counters.ports(1, {1: PortCount()}, 0.0)
    counters.ports(1, {1: PortCount(rx_bytes=100)}, 1.0)
    counters.ports(1, {1: PortCount(rx_bytes=999)}, now_s)
    assert counters.port_rates()[1, 1].rx_bps == 800
    counters.ports(1, {1: PortCount(rx_bytes=200)}, 2.0)
    assert counters.port_rates()[1, 1].rx_bps == 800


def test_the_callers_table_may_change_afterwards(counters: Counters) -> None:
    table = {1: PortCount()}
    counters.ports(1, table, 0.0)
    table[1] = PortCount(rx_bytes=100)
    counters.ports(1, table, 1.0)
    assert counters.port_rates()[1, 1].rx_bps == 800


def test_a_switch_that_is_gone_is_forgotten(counters: Counters) -> None:
    flow = ("north", "south-w1")
    for now_s in range(2):
        counters.ports(1, {1: PortCount()}, now_s)
        counters.flows(1, {flow: FlowCount(now_s, now_s)}, now_s)
    counters.forget(1)
    assert (counters.port_rates(), counters.flow_rates()) == ({}, {})
    counters.ports(1, {1: PortCount(rx_bytes=10**9)}, 60.0)
    assert counters.port_rates() == {}, "not the mean over the time without it"
    counters.forget(7)  # never seen


def test_the_matrix_adds_up_the_workers_of_a_campus(counters: Counters) -> None:
    for now_s in range(2):
        counters.flows(
            1,
            {
                ("north", "south-w1"): FlowCount(now_s, 1_000 * now_s),
                ("south", "south-w1"): FlowCount(now_s, 10 * now_s),
            },
            now_s,
        )
        counters.flows(2, {("north", "south-w2"): FlowCount(now_s, 500 * now_s)}, now_s)
        counters.flows(3, {("south", "north-w1"): FlowCount()}, now_s)
    assert counters.matrix() == {
        ("north", "south"): 12_000,
        ("south", "south"): 80,
        ("south", "north"): 0,
    }


answers = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.dictionaries(
            st.integers(1, 3),
            st.builds(PortCount, *[st.integers(0, 2**64 - 1)] * 8),
        ),
        st.dictionaries(
            st.tuples(
                st.sampled_from(["north", "south"]), st.sampled_from(["north-w1", "south-w2"])
            ),
            st.builds(FlowCount, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)),
        ),
        st.floats(0, 100),
    ),
    max_size=12,
)


@given(answers)
@settings(max_examples=200, deadline=None)
def test_no_rate_is_negative_whatever_switches_answer(
    answers: list[tuple[int, dict[int, PortCount], dict[tuple[str, str], FlowCount], float]],
) -> None:
    counters = Counters(WIRING)
    for dpid, ports, flows, now_s in answers:
        counters.ports(dpid, ports, now_s)
        counters.flows(dpid, flows, now_s)
        for port_rate in counters.port_rates().values():
            assert min(vars(port_rate).values()) >= 0
        for flow_rate in counters.flow_rates().values():
            assert min(flow_rate.bps, flow_rate.pps) >= 0
        matrix = counters.matrix()
        total = sum(rate.bps for rate in counters.flow_rates().values())
        assert sum(matrix.values()) == pytest.approx(total)
