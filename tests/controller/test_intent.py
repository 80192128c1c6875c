"""The file that a controller goes on from when it is started again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.errors import IntentError
from controller.intent import Intent, read_intent
from controller.routes import Demand, Marks
from topologies.graph import Graph
from topologies.linkstate import Jitter, LinkState, Loss

shares = st.floats(0, 1)
losses = st.one_of(
    st.builds(Loss, shares),
    st.builds(Loss, shares, bad=shares, enter=shares, leave=st.floats(0.01, 1)),
    st.builds(Loss, bit_error_rate=shares),
    st.builds(Loss, pattern=st.text("01", min_size=1, max_size=9)),
)
jitters = st.one_of(
    st.none(),
    st.builds(
        Jitter, st.integers(1, 10**9), st.sampled_from(["normal", "uniform", "pareto"]), st.just(())
    ),
    st.just(Jitter.from_table((1, 5, 7), reorder=True)),
)
states = st.builds(
    LinkState,
    rate_bps=st.integers(1, 10**13),
    delay_ns=st.integers(1, 10**12),
    loss=losses,
    mtu=st.integers(68, 65535),
    up=st.booleans(),
    jitter=jitters,
    corrupt=shares,
    reorder=shares,
)
demands = st.builds(
    Demand,
    st.sampled_from(["north", "south"]),
    st.just("east"),
    st.none() | st.integers(1, 10**13),
    st.sampled_from([(), ("north-east",), ("north-south", "south-east")]),
    st.sampled_from([None, Marks(46), Marks(None, (80, 443)), Marks(0, (1,))]),
)
SPANS = ("north-south", "south-east", "north-east")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        Intent,
        st.sampled_from(["shortest-delay", "ecmp"]),
        st.fixed_dictionaries(dict.fromkeys(SPANS, states)),
        st.lists(demands, max_size=3).map(tuple),
        st.sets(st.sampled_from(SPANS)).map(frozenset),
    )
)
def test_what_is_written_is_what_is_read(graph: Graph, tmp_path: Path, intent: Intent) -> None:
    file = tmp_path / "intent.json"
    intent.write(file)
    assert read_intent(file.read_text(), graph) == intent
    assert [path.name for path in tmp_path.iterdir()] == ["intent.json"]


def test_of_what_no_policy_sees_nothing_is_kept(
    graph: Graph, links: dict[str, LinkState], tmp_path: Path
) -> None:
    told = links | {"north-south": replace(links["north-south"], queue_bytes=10**6, duplicate=0.1)}
    Intent("ecmp", told).write(tmp_path / "intent.json")
    assert read_intent((tmp_path / "intent.json").read_text(), graph) == Intent("ecmp", links)


def without(key: str) -> Callable[[Any], Any]:
    return lambda stored: {name: value for name, value in stored.items() if name != key}


def span(**change: object) -> Callable[[Any], Any]:
    def changed(stored: Any) -> Any:
        link = {**stored["links"]["north-south"], **change}
        return {**stored, "links": {**stored["links"], "north-south": link}}

    return changed


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        (without("policy"), "policy", "required"),
        (without("links"), "links", "required"),
        (lambda it: it | {"policy": "nearest"}, "policy", 'unknown policy "nearest"'),
        (lambda it: it | {"more": 1}, "more", "not permitted"),
        (lambda it: it | {"links": {}}, "links.north-south", "has no state"),
        (lambda it: it | {"links": {**it["links"], "x": it["links"]["north-east"]}}, "links", "x"),
        (span(dealy_ns=1), "links.north-south.dealy_ns", "not permitted"),
        (span(delay_ns=None), "links.north-south.delay_ns", "valid integer"),
        (span(loss=2), "links.north-south.loss", "equal to 1"),
        (span(delay_ns=0, reorder=0.5), "links.north-south", "reorder needs a delay"),
        (lambda it: it | {"drained": ["y"]}, "drained", 'unknown span "y"'),
        (lambda it: it | {"demands": [5]}, "demands.0", ""),
        (
            lambda it: it | {"demands": [{"source": "west", "target": "east"}]},
            "demands.0.source",
            'unknown campus "west"',
        ),
    ],
)
def test_what_cannot_be_gone_on_from_is_said_by_field(
    change: Callable[[Any], Any],
    field: str,
    message: str,
    graph: Graph,
    links: dict[str, LinkState],
    tmp_path: Path,
) -> None:
    file = tmp_path / "intent.json"
    Intent("shortest-delay", links).write(file)
    text = json.dumps(change(json.loads(file.read_text())))
    with pytest.raises(IntentError, match=f"^{field}: ") as caught:
        read_intent(text, graph)
    assert caught.value.field == field
    assert message in str(caught.value)
