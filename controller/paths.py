"""The best ways through the switches, and how flows share them: what policies are made of. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from controller.errors import PolicyError
from controller.routes import Hop, Hops
from topologies.graph import Graph
from topologies.linkstate import LinkState
from topologies.suggest import unknown

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ways = Mapping[str, Hops]
"""Hops by the name of the switch."""

UNREACHED = 2**53
"""The distance of a switch that no way leads from; below it, float64 counts every integer."""
MOST_PARTS = 16
"""Parts that flows are divided into at the most: a share below a thirtieth is worth no hop."""
WORTHWHILE = 0.99
"""More parts are taken only if they bring the worst overload below this share of what it was."""


class Network:
    """The switches and the cables between them that are up, each way by itself: an arc. Read-only.

    Arcs are in the order of their near switch, far switch, span and port: of several that are
    equally good, the first is the one to take.

    Attributes:
        switches: names, in order; elsewhere a switch is its place in this list.
        place: switch by name.
        near, far: switches that each arc leads from and to.
        port: the port of the near switch that each arc leaves by.
        state: of each arc's span; None inside a campus, where nothing limits or loses traffic.
        delay_ns, rate_bps: of each arc; inside a campus the rate is infinite.
        access: switch and port that each worker is plugged into.
        home: the switch of the first worker of each campus that has any.
    """

    def __init__(self, graph: Graph, links: Mapping[str, LinkState]) -> None:
        """Take what is up of a graph."""
        self.switches = sorted(switch.name for switch in graph.switches)
        self.place = place = {name: index for index, name in enumerate(self.switches)}
        arcs = sorted(
            (place[near], place[far], link.span or "", port, link.delay_ns)
            for near, port, far, link in graph.half_links()
            if link.kind != "access" and (not link.span or links[link.span].up)
        )
        self.near = np.array([near for near, *_ in arcs], np.int64)
        self.far = np.array([far for _, far, *_ in arcs], np.int64)
        self.port = [port for _, _, _, port, _ in arcs]
        self.state = [links[span] if span else None for _, _, span, _, _ in arcs]
        both = list(zip(arcs, self.state, strict=True))
        self.delay_ns = np.array([it.delay_ns if it else arc[4] for arc, it in both], np.int64)
        self.rate_bps = np.array([it.rate_bps if it else math.inf for _, it in both], np.float64)
        plugs = {link.a: (link.b, link.b_port) for link in graph.links if link.kind == "access"}
        self.access: dict[str, tuple[int, int]] = {}
        self.home: dict[str, int] = {}
        for worker in graph.workers:
            switch, port = plugs[worker.name]
            self.access[worker.name] = place[switch], port
            self.home.setdefault(worker.campus, place[switch])
        self._leads_to = self.far.tolist()
        # What `share` gives out, made once: there are far more ways than there are hops.
        self._leaving = [self.switches[near] for near in self.near.tolist()]
        self._single = [(Hop(port),) for port in self.port]
        self._several: dict[tuple[object, ...], Hops] = {}

    @cached_property
    def roots(self) -> list[int]:
        """The switches that workers are plugged into, in order."""
        return sorted({switch for switch, _ in self.access.values()})

    @cached_property
    def fabric(self) -> Flags:
        """Which arcs lie inside a campus and are no spans."""
        return np.array([state is None for state in self.state], bool)

    @cached_property
    def site(self) -> Integers:
        """A number for each switch, the same for all that fabric joins: those of a campus."""
        ends = self.near[self.fabric], self.far[self.fabric]
        shape = len(self.switches), len(self.switches)
        joined = csr_array((np.ones(len(ends[0])), ends), shape=shape)
        sites: Integers = connected_components(joined, directed=False)[1].astype(np.int64)
        return sites

    def at(self, campus: str) -> int:
        """Return the switch of a campus's first worker; raises PolicyError where there is none."""
        if campus not in self.home:
            raise PolicyError(unknown("campus", campus, self.home))
        return self.home[campus]

    def least(
        self, cost: Integers, roots: Sequence[int] | None = None, usable: Flags | None = None
    ) -> dict[int, Ways]:
        """Return the ways of least total cost to each root, as `trees` finds them."""
        return {root: self.share(arcs) for root, arcs in self.trees(cost, roots, usable)}

    def trees(
        self, cost: Integers, roots: Sequence[int] | None = None, usable: Flags | None = None
    ) -> Iterator[tuple[int, Integers]]:
        """Yield each root and, of every other switch, the first arc of its way of least total cost.

        Without roots: to every worker's switch; without usable ones: over all arcs. Ties go to
        fewer hops, then to the neighbour and span that come first by name.
        """
        roots = self.roots if roots is None else roots
        usable = np.ones(len(cost), bool) if usable is None else usable
        weights = self.weights(cost)
        for root, distance in zip(roots, self.distances(weights, roots, usable), strict=True):
            onward = usable & (distance[self.near] == distance[self.far] + weights)
            arcs = np.flatnonzero(onward)
            yield root, arcs[np.diff(self.near[arcs], prepend=-1) > 0]

    def follow(self, tree: Integers, starts: Iterable[int]) -> list[list[int]]:
        """Return the arcs from each start on, given the one arc that each switch goes on by."""
        onward = dict(zip(self.near[tree].tolist(), tree.tolist(), strict=True))
        ways = []
        for switch in starts:
            way: list[int] = []
            while (arc := onward.get(switch)) is not None:
                way.append(arc)
                switch = self._leads_to[arc]
            ways.append(way)
        return ways

    def weights(self, cost: Integers) -> Integers:
        """Return a weight per arc; sums of them order ways by cost first and by hops second."""
        return cost * (len(self.switches) + 1) + 1  # no way has that many hops

    def cost_and_hops(self, distance: Integers) -> tuple[Integers, Integers]:
        """Return what sums of weights are made of."""
        return np.divmod(distance, len(self.switches) + 1)

    def distances(self, weights: Integers, roots: Sequence[int], usable: Flags) -> Integers:
        """Return the least sum of weights from every switch (column) to each root (row).

        Raises PolicyError where a sum is too large to be exact.
        """
        size = len(self.switches)
        arcs = np.flatnonzero(usable)
        ends, parallel = np.unique(self.far[arcs] * size + self.near[arcs], return_inverse=True)
        least = np.full(len(ends), np.inf)
        np.minimum.at(least, parallel, weights[arcs].astype(np.float64))
        backwards = csr_array((least, (ends // size, ends % size)), shape=(size, size))
        found = dijkstra(backwards, indices=list(roots))
        reached = np.isfinite(found)
        if found[reached].max(initial=0) >= UNREACHED:
            raise PolicyError("the costs of some ways are too large to be added up exactly")
        return np.where(reached, found, UNREACHED).astype(np.int64)

    def share(self, arcs: Integers, shares: Numbers | None = None) -> Ways:
        """Return hops by which flows take some arcs, in order, by shares; without, all alike."""
        begins = np.flatnonzero(np.diff(self.near[arcs], prepend=-1))
        ends = np.append(begins[1:], len(arcs))
        several = ends > begins + 1
        ways = {self._leaving[arc]: self._single[arc] for arc in arcs[begins[~several]].tolist()}
        numbers = arcs.tolist()
        parts = None if shares is None else shares.tolist()
        for begin, end in zip(begins[several].tolist(), ends[several].tolist(), strict=True):
            group = tuple(numbers[begin:end])
            split = None if parts is None else tuple(parts[begin:end])
            key = group if split is None else (group, split)
            hops = self._several.get(key)
            if hops is None:
                weights = small_weights(split or (1.0,) * len(group))
                pairs = zip(group, weights, strict=True)
                hops = tuple(Hop(self.port[arc], weight) for arc, weight in pairs if weight)
                self._several[key] = hops
            ways[self._leaving[group[0]]] = hops
        return ways

    def toward(self, ways: Mapping[int, Ways]) -> dict[str, Ways]:
        """Return the routes to every worker, given the ways to the switch it is plugged into."""
        return {
            worker: {**ways[switch], self.switches[switch]: (Hop(port),)}
            for worker, (switch, port) in self.access.items()
        }

    def least_delay_but(self, ways: Mapping[int, Ways]) -> dict[str, Ways]:
        """Return the routes of least delay to every worker, but where ways to its site are given.

        Those end at the site, and all their hops lead to switches with such hops or into the site;
        from there fabric alone leads on. So no hops run in a circle if the given ones do not.
        """
        least, fabric = self.least(self.delay_ns), self.least(self.delay_ns, usable=self.fabric)
        return self.toward(
            {
                root: {**least[root], **ways.get(int(self.site[root]), {}), **fabric[root]}
                for root in self.roots
            }
        )


@lru_cache(maxsize=4096)
def small_weights(shares: tuple[float, ...]) -> tuple[int, ...]:
    """Return small integers in nearly the proportion of some shares; tiny shares become 0.

    Parts are dealt out one by one, each to where it overloads least (D'Hondt's method), until more
    of them hardly lower the worst overload. Where shares are infinite, they alone count, all alike.
    """
    if math.inf in shares:
        shares = tuple(float(share == math.inf) for share in shares)
    parts, least = [0] * len(shares), math.inf
    chosen: tuple[int, ...] = ()
    for total in range(1, max(MOST_PARTS, len(shares)) + 1):
        with_one_more = [
            (part + 1) / share if share else math.inf
            for part, share in zip(parts, shares, strict=True)
        ]
        parts[with_one_more.index(min(with_one_more))] += 1
        pairs = zip(parts, shares, strict=True)
        overload = max(part / share for part, share in pairs if part) / total
        if overload < least * WORTHWHILE:
            least, chosen = overload, tuple(parts)
    return chosen
