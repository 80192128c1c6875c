"""Small random networks, their state and what is asked of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from hypothesis import Phase
from hypothesis import strategies as st

from controller import policies
from controller.configuration import base, forwarding, stamps
from controller.errors import PolicyError
from controller.routes import Demand, Marks
from controller.rules import Entry
from controller.wiring import Wiring
from topologies.graph import Graph, build_graph
from topologies.linkstate import LinkState, Loss
from topologies.spec import NetworkSpec

NO_SHRINKING = Phase.explicit, Phase.reuse, Phase.generate  # it would take minutes

FABRICS = [
    {"kind": "star"},
    {"kind": "leaf-spine", "leaves": 2, "spines": 2},
    {"kind": "ring", "leaves": 3},
    {"kind": "torus", "leaves": 3, "spines": 3},
]


@st.composite
def networks(draw: st.DrawFn, fabrics: int = len(FABRICS), workers: int = 3) -> Graph:
    """Draw up to four campuses, joined in a line and by some more spans."""
    names = ["a", "b", "c", "d"][: draw(st.integers(2, 4))]
    campuses = {
        name: {
            "workers": draw(st.integers(1, workers)),
            "fabric": draw(st.sampled_from(FABRICS[:fabrics])),
        }
        for name in names
    }
    pairs = list(itertools.pairwise(names))
    every = [(x, y) for i, x in enumerate(names) for y in names[i + 1 :]]
    pairs += draw(st.lists(st.sampled_from(every), max_size=4))
    span = {"rate": "1 Gbit/s", "delay": "1 ms"}
    spans = {f"s{i}": {**span, "between": pair} for i, pair in enumerate(pairs)}
    return build_graph(NetworkSpec.model_validate({"campuses": campuses, "spans": spans}))


def link_states(graph: Graph, up: st.SearchStrategy[bool]) -> st.SearchStrategy[Links]:
    state = st.builds(
        LinkState,
        st.sampled_from([10**8, 10**9, 10**10]),
        st.integers(0, 5).map(lambda ms: ms * 10**6),
        st.sampled_from([Loss(), Loss(0.001), Loss(0.05)]),
        up=up,
    )
    return st.fixed_dictionaries(dict.fromkeys(graph.spans, state))


@st.composite
def demands(draw: st.DrawFn, graph: Graph) -> tuple[Demand, ...]:
    campuses = sorted({switch.campus for switch in graph.switches})
    pairs = [(a, b) for a in campuses for b in campuses if a != b]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=3))
    rates = st.sampled_from([None, 10**8, 5 * 10**9])
    over = st.sampled_from([(), *((span,) for span in graph.spans)])
    marks = st.sampled_from([None, Marks(dscp=46), Marks(ports=(5201,))])
    return tuple(Demand(*pair, draw(rates), draw(over), draw(marks)) for pair in chosen)


Links = Mapping[str, LinkState]


class Configuration:
    """What a policy makes of a network, as entries of any version."""

    def __init__(
        self, wiring: Wiring, policy: str, links: Links, demands: tuple[Demand, ...] = ()
    ) -> None:
        self._wiring, self._policy, self._links = wiring, policy, links
        route = policies.load(policy)
        try:
            self.routes = route(wiring.graph, links, demands)
        except PolicyError:  # these demands cannot be met
            self.routes = route(wiring.graph, links, ())

    def __repr__(self) -> str:
        return f"{self._policy} by {self._links}"

    def entries(self, version: int) -> list[Entry]:
        return forwarding(self._wiring, self.routes, self._links, version)

    def in_force(self, version: int) -> list[Entry]:
        """Return all that the switches hold once a version is the only one."""
        wiring = self._wiring
        return [*base(wiring), *stamps(wiring, version), *self.entries(version)]


@st.composite
def configurations(draw: st.DrawFn, wiring: Wiring) -> Configuration:
    """Draw what some policy makes of some links, most of which are up."""
    links = draw(link_states(wiring.graph, st.sampled_from([True, True, True, False])))
    policy = draw(st.sampled_from(policies.names()))
    return Configuration(wiring, policy, links, draw(demands(wiring.graph)))
