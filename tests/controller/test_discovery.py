"""Discovery: wrong cables are named from both ends, and forgotten once they are right."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.discovery import Discovery, Port
from controller.lldp import Hello
from controller.wiring import Wiring
from topologies.graph import build_graph
from topologies.spec import NetworkSpec

SPAN = {"rate": "1 Gbit/s", "delay": "1 ms"}
SPEC = {
    "campuses": {
        "north": {"workers": 2},
        "south": {"workers": 2, "fabric": {"kind": "ring", "leaves": 4}},
        "east": {"workers": 1, "fabric": {"kind": "star"}},
    },
    "spans": {"north-south": SPAN, "south-east": SPAN, "north-east": SPAN},
}
WIRING = Wiring(build_graph(NetworkSpec.model_validate(SPEC)))
PLAN = [
    ((WIRING.dpids[link.a], link.a_port), (WIRING.dpids[link.b], link.b_port))
    for link in WIRING.graph.links
    if link.kind != "access"
]
"""The cables between switches."""

Cables = Iterable[tuple[Port, Port]]


def port(text: str) -> Port:
    """Read ``"north-border 3"``."""
    name, number = text.split()
    return WIRING.dpids[name], int(number)


def span(name: str) -> tuple[Port, Port]:
    first, second = WIRING.ends(name)
    return (WIRING.dpids[first[0]], first[1]), (WIRING.dpids[second[0]], second[1])


def words(end: Port) -> str:
    return f"{WIRING.names[end[0]]} port {end[1]}"


def listen(discovery: Discovery, cables: Cables, now_s: float = 0.0) -> None:
    """Let a frame cross each cable both ways."""
    for a, b in cables:
        for sender, receiver in ((a, b), (b, a)):
            discovery.heard(Hello(*sender, 1, 0, bytes(8)), *receiver, now_s)


def swapped(first: str, second: str) -> list[tuple[Port, Port]]:
    """Return the plan with the far ends of two spans swapped."""
    (a, b), (c, d) = span(first), span(second)
    rest = [cable for cable in PLAN if cable not in ((a, b), (c, d))]
    return [*rest, (a, d), (c, b)]


def always(dpid: int, port: int) -> bool:
    return True


def test_cables_as_planned_need_no_words() -> None:
    discovery = Discovery(WIRING)
    listen(discovery, PLAN)
    assert discovery.miswired() == []
    assert discovery.cables() == sorted(
        min(
            (link.a, link.a_port, link.b, link.b_port),
            (link.b, link.b_port, link.a, link.a_port),
        )
        for link in WIRING.graph.links
        if link.kind != "access"
    )


def test_nothing_is_said_before_anything_is_heard() -> None:
    assert Discovery(WIRING).miswired() == []
    assert Discovery(WIRING).cables() == []


def test_two_swapped_spans_are_named_at_each_end_once() -> None:
    discovery = Discovery(WIRING)
    listen(discovery, swapped("north-south", "south-east"))
    (a, b), (c, d) = span("north-south"), span("south-east")
    assert discovery.miswired() == [
        f"{words(end)} (span {name}) should lead to {words(planned)}, but leads to {words(far)}"
        for end, name, planned, far in sorted(
            [
                (a, "north-south", b, d),
                (b, "north-south", a, c),
                (c, "south-east", d, b),
                (d, "south-east", c, a),
            ],
            key=lambda item: (WIRING.names[item[0][0]], item[0][1]),
        )
    ]


def test_a_sentence_reads_like_one() -> None:
    discovery = Discovery(WIRING)
    a, b = span("north-south")
    stray = WIRING.dpids["east-border"], 1
    listen(discovery, [(a, stray)])
    north = f"north-border port {a[1]} (span north-south) should lead to south-border port {b[1]}"
    assert f"{north}, but leads to east-border port 1" in discovery.miswired()


def test_sentences_are_sorted_by_switch_and_by_number() -> None:
    discovery = Discovery(WIRING)
    ends = ["south-border 10", "south-border 9", "north-border 11", "east-border 12"]
    listen(discovery, [(port(ends[0]), port(ends[1])), (port(ends[2]), port(ends[3]))])
    starts = [sentence.split(" should")[0] for sentence in discovery.miswired()]
    assert starts == [
        "east-border port 12",
        "north-border port 11",
        "south-border port 9",
        "south-border port 10",
    ]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (WIRING.access["north-w1"], "host north-w1"),
        (WIRING.access["north-south-p1"], "host north-south-p1"),
        (("east-border", 40), "nothing"),
    ],
    ids=["worker", "prober", "bare"],
)
def test_a_cable_where_none_belongs_is_named(where: tuple[str, int], expected: str) -> None:
    discovery = Discovery(WIRING)
    end, stray = (WIRING.dpids[where[0]], where[1]), port("south-ring2 30")
    listen(discovery, [(end, stray)])
    assert set(discovery.miswired()) == {
        f"{words(end)} should lead to {expected}, but leads to {words(stray)}",
        f"{words(stray)} should lead to nothing, but leads to {words(end)}",
    }


def test_one_direction_is_enough_to_know_a_cable() -> None:
    discovery = Discovery(WIRING)
    a, b = span("north-south")
    stray = port("east-border 40")
    discovery.heard(Hello(*a, 1, 0, bytes(8)), *stray, 0.0)
    assert len(discovery.miswired()) == 2
    discovery.heard(Hello(*b, 1, 0, bytes(8)), *a, 1.0)
    assert discovery.miswired() == [], "the stray end is loose: nothing is known of it any more"


def test_a_port_that_leads_to_itself_is_named_once() -> None:
    discovery = Discovery(WIRING)
    a, b = span("north-south")
    listen(discovery, [(a, a)])
    assert discovery.miswired() == [
        f"{words(a)} (span north-south) should lead to {words(b)}, but leads to {words(a)}"
    ]


def test_a_switch_that_the_graph_does_not_have_is_named_by_its_number() -> None:
    discovery = Discovery(WIRING)
    a, b = span("north-south")
    listen(discovery, [(a, (0xBEEF, 4))])
    assert discovery.miswired() == [
        f"{words(a)} (span north-south) should lead to {words(b)}, "
        "but leads to unknown switch 0xbeef port 4"
    ]


ports = st.sampled_from(
    [end for cable in PLAN for end in cable]
    + [port("east-border 40"), port("north-leaf1 40"), (0xBEEF, 1)]
)


@given(st.lists(st.tuples(ports, ports), max_size=40))
@settings(max_examples=200, deadline=None)
def test_putting_it_right_clears_every_report(mistakes: list[tuple[Port, Port]]) -> None:
    discovery = Discovery(WIRING)
    for now_s, (sender, receiver) in enumerate(mistakes):
        discovery.heard(Hello(*sender, 1, 0, bytes(8)), *receiver, now_s)
        cables = discovery.cables()
        ends = [end for a, n, b, m in cables for end in {(a, n), (b, m)}]
        assert len(ends) == len(set(ends)), "a port is at the end of one cable"
        assert len(discovery.miswired()) <= len(ends)
    listen(discovery, PLAN, 100.0)
    loose = {port("east-border 40"), port("north-leaf1 40")}
    left = discovery.miswired()
    assert all(any(words(end) in sentence for end in loose) for sentence in left)
    assert all(" should lead to nothing, " in sentence for sentence in left)


def test_a_cable_is_silent_until_a_frame_has_come_over_it() -> None:
    discovery = Discovery(WIRING)
    listen(discovery, PLAN[:1], 100.0)
    assert discovery.unseen(105.0, 5.0, always) == []
    listen(discovery, PLAN[:1], 105.0)
    silent = discovery.unseen(105.1, 5.0, always)
    assert len(silent) == len(PLAN) - 1
    a, b = sorted(span("north-south"), key=words)
    sentence = f"nothing comes over the cable from {words(a)} to {words(b)} (span north-south)"
    assert sentence in silent
    assert silent == sorted(silent, key=lambda text: text.split(" port ")[0])


def test_without_any_frame_silence_counts_from_when_it_was_first_asked_for() -> None:
    discovery = Discovery(WIRING)
    assert discovery.unseen(100.0, 5.0, always) == []
    assert discovery.unseen(105.0, 5.0, always) == []
    assert len(discovery.unseen(105.1, 5.0, always)) == len(PLAN)
    listen(discovery, PLAN[:1], 200.0)
    assert discovery.unseen(201.0, 5.0, always) == [], "frames have only begun to get through"


def test_one_direction_is_enough_to_be_seen() -> None:
    discovery = Discovery(WIRING)
    discovery.unseen(0.0, 5.0, always)
    listen(discovery, PLAN, 1.0)
    for a, b in PLAN:
        discovery.heard(Hello(*b, 2, 0, bytes(8)), *a, 8.0)
    assert discovery.unseen(10.0, 5.0, always) == []
    assert len(discovery.unseen(14.0, 5.0, always)) == len(PLAN)


def test_a_port_that_is_not_live_is_no_news() -> None:
    discovery = Discovery(WIRING)
    a, b = span("north-south")

    def without(end: Port) -> Callable[[int, int], bool]:
        return lambda dpid, number: (dpid, number) != end

    discovery.unseen(0.0, 5.0, always)
    for now_s in (10.0, 20.0):
        for end in (a, b):
            silent = discovery.unseen(now_s, 5.0, without(end))
            assert len(silent) == len(PLAN) - 1
            assert not any("north-south" in sentence for sentence in silent)
    assert not any("north-south" in text for text in discovery.unseen(21.0, 5.0, always))
    assert any("north-south" in text for text in discovery.unseen(26.1, 5.0, always))


def test_a_cable_known_to_be_elsewhere_is_not_reported_twice() -> None:
    discovery = Discovery(WIRING)
    discovery.unseen(0.0, 5.0, always)
    listen(discovery, swapped("north-south", "south-east"), 9.0)
    assert discovery.unseen(10.0, 5.0, always) == []
    assert len(discovery.miswired()) == 4
