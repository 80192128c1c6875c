"""Rates that demands get when they share the spans max-min fairly, and over which ways. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, permutations
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import block_array, csr_array, diags_array, vstack

from controller.errors import PolicyError
from controller.paths import Integers, Network, Numbers
from controller.routes import Demand

ROUNDS = 6
"""How often a way is looked for, for each demand, before the first program is solved."""
EFFORT = 30_000
"""Ways in all programs together, after which every demand keeps its ways and their proportions."""
MOST_DEMANDS = 100_000
"""More would take minutes and gigabytes."""
ARCS_PER_WAY = 500
"""Arcs that are searched in the time that one way costs in a program (measured)."""
ZERO = 1e-7
"""The solver's tolerance: it does not tell less from nothing."""
RANGE = 10**7
"""Rates below the largest divided by this would drown in the tolerance."""
PRECISION = 2**30
"""The largest cost, as an integer."""
TRACE = 1000
"""Less than a demand's rate divided by this is no flow."""

Way = tuple[int, ...]
"""Arcs from the switch of a demand's source to the first switch of its target's campus."""


def fair_flows(network: Network, demands: Sequence[Demand]) -> Counter[Way]:
    """Return what flows on each way, in bit/s, when the demands share the spans max-min fairly."""
    filling = Filling(network, demands)
    if not filling.ends:
        return Counter()
    filling.explore()
    while filling.rising.any():
        filling.rise()
        if filling.effort > EFFORT:
            filling.pour()
            break
    else:
        filling.settle()
    return filling.flows()


class Filling:
    """Progressive filling (Bertsekas and Gallager, 1992, section 6.5) by linear programs.

    All demands rise together, over whichever ways that takes, until some cannot rise any more;
    these stay at that level, and the others rise on.

    Attributes:
        ends: switches that each demand leads from and to; demands that are cut off are left out.
        asked, level: what each demand asks for and has so far, in units of `unit_bps`.
        rising: which demands may get more.
        ways, owner: every way that is known, and the demand that it is for.
        flow: on each way.
        effort: spent so far, as EFFORT counts it.
    """

    def __init__(self, network: Network, demands: Sequence[Demand]) -> None:
        """Start every demand at 0."""
        self._network, self._far, self.effort = network, network.far.tolist(), 0
        many = len(demands) or len(network.home) * (len(network.home) - 1)
        if many > MOST_DEMANDS:
            raise PolicyError(f"{many} demands are too many; state those that matter")
        asks = sorted(
            (network.at(it.source), network.at(it.target), it.rate_bps or math.inf)
            for it in demands or [Demand(*pair) for pair in permutations(network.home, 2)]
        )
        self.ends = [(start, root) for start, root, _ in asks]
        asks = [ask for ask, way in zip(asks, self._search(network.delay_ns), strict=True) if way]
        self.ends = [(start, root) for start, root, _ in asks]
        self._spans = np.flatnonzero(~network.fabric)
        asked_bps = np.array([rate_bps for *_, rate_bps in asks])
        rates = np.concatenate([network.rate_bps[self._spans], asked_bps[asked_bps < math.inf]])
        largest = rates.max(initial=1)
        self.unit_bps = max(rates.min(initial=largest), largest / RANGE)
        self.asked, self._capacity = asked_bps / self.unit_bps, network.rate_bps / self.unit_bps
        self.level, self.rising = np.zeros(len(asks)), np.ones(len(asks), bool)
        self.ways: list[Way] = []
        self.owner: list[int] = []
        self._known: set[tuple[int, Way]] = set()
        self.flow = np.zeros(0)

    def explore(self) -> None:
        """Find some ways for each demand; the more of them want a span, the longer it seems."""
        longer = np.ones(len(self._far))
        for _ in range(ROUNDS):
            found = self._search((self._network.delay_ns + 1) * longer)
            self._add(enumerate(found))
            wanted = np.bincount(list(chain(*found)), minlength=len(self._far)) / self._capacity
            longer *= 1 + wanted / wanted[wanted > 0].mean()
            if max(2 * self.effort, 4 * len(self.ways)) > EFFORT:
                break

    def rise(self) -> None:
        """Raise all that are rising as far as they get together, or find new ways to get further.

        The program's dual values say what the level would gain by a little more capacity of each
        span, and by a little less for each demand. A way whose spans cost less than its demand is
        worth would help (column generation). Once there is none, demands that are worth anything
        cannot rise: they have this level in every best solution.
        """
        usage, served = self._matrices()
        column = csr_array(self.rising[:, None].astype(float))
        limits = np.concatenate([self._capacity[self._spans], -self.level * ~self.rising])
        least_asked = self.asked[self.rising].min()
        bounds = [(0, least_asked), *[(0, math.inf)] * len(self.ways)]
        goal = np.append(-1.0, np.zeros(len(self.ways)))
        program = block_array([[None, usage], [column, -served]], format="csr")
        (level, *flow), duals = _solve(goal, program, limits, bounds)
        self.flow, worth = np.array(flow), duals[len(self._spans) :]
        self.effort += len(self.ways)
        if self.effort < EFFORT / 2 and self._price(duals[: len(self._spans)], worth):
            return
        stuck = (worth > ZERO) | (self.asked <= level * (1 + ZERO))
        if not (self.rising & stuck).any():
            stuck[np.argmax(np.where(self.rising, worth, -1))] = True
        self.level[self.rising] = level
        self.rising &= ~stuck

    def _price(self, duals: Numbers, worth: Numbers) -> bool:
        """Find ways that are worth more than they cost; return whether there are new ones."""
        cost = np.zeros(len(self._far))
        cost[self._spans] = duals
        if cost.max() < ZERO:
            return False
        found = enumerate(self._search(cost))
        return self._add((it, way) for it, way in found if cost[list(way)].sum() < worth[it] - ZERO)

    def pour(self) -> None:
        """Raise all that are rising with no further program, each by the proportions it has."""
        usage, served = self._matrices()
        flow = np.where(self.flow > ZERO, self.flow, 0)
        served_now = served @ flow
        self.rising &= served_now > 0
        share = flow / np.where(served_now > 0, served_now, 1)[self.owner]
        use = csr_array(usage @ diags_array(share) @ served.T)
        capacity = self._capacity[self._spans]
        while self.rising.any():
            speed, free = use @ self.rising, capacity - use @ self.level
            steps = np.divide(free, speed, out=np.full(len(free), math.inf), where=speed > ZERO)
            step = max(0, min(steps.min(), (self.asked - self.level)[self.rising].min()))
            self.level += step * self.rising
            full = steps <= step * (1 + ZERO)
            self.rising &= (use.T @ full <= 0) & (self.level < self.asked * (1 - ZERO))
        self.flow = share * self.level[self.owner]

    def settle(self) -> None:
        """Choose, of all flows that give every demand its level, those of least delay."""
        usage, served = self._matrices()
        limits = np.concatenate([self._capacity[self._spans], -self.level * (1 - ZERO)])
        delays = np.array([self._network.delay_ns[list(way)].sum() + 1.0 for way in self.ways])
        goal = delays / delays.max(initial=1)
        self.flow, _ = _solve(goal, vstack([usage, -served], format="csr"), limits, (0, math.inf))

    def flows(self) -> Counter[Way]:
        """Return what flows on each way, in bit/s."""
        flows: Counter[Way] = Counter()
        least = self.level[self.owner] / TRACE
        for number in np.flatnonzero(self.flow > least).tolist():
            flows[self.ways[number]] += round(self.flow[number] * self.unit_bps)
        return flows

    def _search(self, cost: Numbers | Integers) -> list[Way]:
        """Return each demand's way of least cost; it is empty where there is none, or no need."""
        network, site = self._network, self._network.site
        toward: dict[int, list[int]] = {}
        for demand, (_, root) in enumerate(self.ends):
            toward.setdefault(root, []).append(demand)
        self.effort += len(toward) * len(cost) // ARCS_PER_WAY
        whole = np.rint(cost * (PRECISION / max(ZERO, cost.max(initial=0)))).astype(np.int64)
        found: list[Way] = [()] * len(self.ends)
        for root, tree in network.trees(whole, list(toward)):
            outside = tree[site[network.near[tree]] != site[root]]
            starts = [self.ends[demand][0] for demand in toward[root]]
            for demand, way in zip(toward[root], network.follow(outside, starts), strict=True):
                found[demand] = tuple(way)
        return found

    def _add(self, found: Iterable[tuple[int, Way]]) -> bool:
        """Take the ways that are new; return whether there are any."""
        new = [it for it in found if it not in self._known]
        self._known.update(new)
        self.owner += [demand for demand, _ in new]
        self.ways += [way for _, way in new]
        self.flow = np.append(self.flow, np.zeros(len(new)))
        return bool(new)

    def _matrices(self) -> tuple[Any, Any]:
        """Return which spans (rows) each way takes, and which demand (row) each way serves."""
        many = np.arange(len(self.ways))
        arcs = np.fromiter(chain(*self.ways), np.int64)
        columns = np.repeat(many, [len(way) for way in self.ways])
        shape = len(self._far), len(many)
        usage = csr_array((np.ones(len(arcs)), (arcs, columns)), shape=shape)
        shape = len(self.ends), len(many)
        served = csr_array((np.ones(len(many)), (self.owner, many)), shape=shape)
        return usage[self._spans], served


def _solve(goal: Numbers, program: Any, limits: Numbers, bounds: Any) -> tuple[Numbers, Numbers]:
    """Return the solution of a program and the dual values of its rows."""
    result = linprog(goal, A_ub=program, b_ub=limits, bounds=bounds, method="highs-ipm")
    if result.status != 0:
        raise PolicyError(f"fair shares could not be computed: {result.message}")
    return result.x, -result.ineqlin.marginals
