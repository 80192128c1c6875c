"""Where campuses stand on the map, so that spans are as long as their routes. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import networkx as nx
import numpy as np
from scipy.optimize import minimize

from topologies.ageing.delay import GLASS_NS_PER_KM
from topologies.spec import NetworkSpec, SpanSpec

SHORTEST = 0.15
"""Of the longest route: a shorter one is drawn this long, so that its campuses stand apart."""
TO_SCALE = 0.03
"""A span counts as drawn to scale when it is wrong by no more than this."""
UNJOINED_WEIGHT = 0.02
"""Of two campuses that no span joins, beside those that one does: only spans have a true length."""
COMPASS = {"north": (0.0, 1.0), "south": (0.0, -1.0), "east": (1.0, 0.0), "west": (-1.0, 0.0)}


@dataclass(frozen=True)
class Route:
    """A span as the map needs it: its two campuses and the length of its route in km."""

    span: str
    ends: tuple[str, str]
    km: float


@dataclass(frozen=True)
class Line:
    """A span on the map.

    Attributes:
        drawn_km: its length there.
        to_scale: whether that is the length of its route.
        bend: 0 is straight; spans beside each other are bent further and further, to both sides,
            as seen from the first of the span's ends.
    """

    drawn_km: float
    to_scale: bool
    bend: int


@dataclass(frozen=True)
class Map:
    """Where each campus stands, in km to the right and upwards, and how each span is drawn."""

    campuses: Mapping[str, tuple[float, float]]
    spans: Mapping[str, Line]


def km_of(spec: SpanSpec) -> float:
    """Return a span's route in km; where it states none, the fibre that its delay takes."""
    if spec.route is not None:
        return spec.route / 1000
    return (spec.delay or 0) / GLASS_NS_PER_KM


def map_of(network: NetworkSpec) -> Map:
    """Draw a network."""
    spans = network.spans.items()
    return draw(
        list(network.campuses),
        [Route(name, network.ends_of(name), km_of(spec)) for name, spec in spans],
    )


def draw(campuses: Sequence[str], routes: Sequence[Route]) -> Map:
    """Place campuses so that distances are route lengths, as far as a plane allows.

    The weighted stress of all pairs is minimised, those that no span joins at the length of the
    shortest way between them (Kamada and Kawai, 1989), from networkx's own layouts on. Of these the
    one is taken that draws most spans to scale, then the one with the fewest crossings.
    """
    wanted = _wanted_km(routes)
    points = _turned(campuses, _placed(campuses, wanted))
    places = dict(zip(campuses, map(tuple, points.tolist()), strict=True))
    beside: Counter[frozenset[str]] = Counter()
    spans = {}
    for route in routes:
        pair = frozenset(route.ends)
        drawn_km = math.dist(*(places[end] for end in route.ends))
        side = 1 if route.ends[0] < route.ends[1] else -1
        spans[route.span] = Line(
            drawn_km=drawn_km,
            to_scale=abs(drawn_km - route.km) <= TO_SCALE * route.km,
            bend=(beside[pair] + 1) // 2 * (-side if beside[pair] % 2 else side),
        )
        beside[pair] += 1
    return Map({name: (x, y) for name, (x, y) in places.items()}, spans)


def _wanted_km(routes: Sequence[Route]) -> dict[frozenset[str], float]:
    """Return how far apart two joined campuses are to stand: as far as their shortest span."""
    longest = max((route.km for route in routes), default=1.0) or 1.0
    wanted: dict[frozenset[str], float] = {}
    for route in routes:
        pair, km = frozenset(route.ends), max(route.km, SHORTEST * longest)
        wanted[pair] = min(km, wanted.get(pair, km))
    return wanted


def _placed(campuses: Sequence[str], wanted: Mapping[frozenset[str], float]) -> np.ndarray:
    """Return a point for each campus."""
    if len(campuses) < 2:
        return np.zeros((len(campuses), 2))
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(campuses)
    for pair, km in wanted.items():
        graph.add_edge(*sorted(pair), weight=km)
    apart_km = dict(nx.all_pairs_dijkstra_path_length(graph))
    longest = max(wanted.values())
    starts = [nx.kamada_kawai_layout(graph, dist=apart_km, scale=longest)]
    if nx.check_planarity(graph)[0]:
        starts.append(nx.planar_layout(graph, scale=longest))
    first, second = np.triu_indices(len(campuses), 1)
    names = list(combinations(campuses, 2))  # in the same order
    target = np.array([apart_km[a][b] for a, b in names])
    joined = np.array([frozenset(pair) in wanted for pair in names])
    weight = np.where(joined, 1.0, UNJOINED_WEIGHT) / target**2

    def stress(flat: np.ndarray) -> tuple[float, np.ndarray]:
        points = flat.reshape(-1, 2)
        apart = points[first] - points[second]
        length = np.maximum(np.hypot(*apart.T), 1e-9)
        miss = length - target
        pull = (2 * weight * miss / length)[:, None] * apart
        slope = np.zeros_like(points)
        np.add.at(slope, first, pull)
        np.add.at(slope, second, -pull)
        return float(np.sum(weight * miss**2)), slope.ravel()

    place = {name: number for number, name in enumerate(campuses)}
    ends = np.array([[place[name] for name in sorted(pair)] for pair in wanted])
    routes_km = np.array([*wanted.values()])

    def faults(points: np.ndarray) -> tuple[int, int]:
        drawn_km = np.hypot(*(points[ends[:, 0]] - points[ends[:, 1]]).T)
        return int(np.sum(np.abs(drawn_km - routes_km) > TO_SCALE * routes_km)), _crossings(
            points, ends
        )

    found = []
    for start in starts:
        begin = np.array([start[name] for name in campuses]).ravel()
        least = minimize(stress, begin, jac=True, method="L-BFGS-B", options={"ftol": 1e-15})
        points: np.ndarray = least.x.reshape(-1, 2)
        found.append(points - points.mean(axis=0))
    return min(found, key=faults)


def _crossings(points: np.ndarray, ends: np.ndarray) -> int:
    """Return how many pairs of lines cross, of those between two places each."""

    places = points.tolist()

    def side(a: int, b: int, c: int) -> bool:
        (ax, ay), (bx, by), (cx, cy) = places[a], places[b], places[c]
        return bool((bx - ax) * (cy - ay) > (by - ay) * (cx - ax))

    return sum(
        side(a, b, c) != side(a, b, d) and side(c, d, a) != side(c, d, b)
        for (a, b), (c, d) in combinations(ends.tolist(), 2)
        if len({a, b, c, d}) == 4
    )


def _turned(campuses: Sequence[str], points: np.ndarray) -> np.ndarray:
    """Turn the map, or its mirror image, so that north is up; else so that it is wide."""
    compass = np.array([_towards(name) for name in campuses])
    if not np.any(compass):
        return _widest(points)
    best, most = points, -math.inf
    for mirror in (1.0, -1.0):
        mirrored = points * [1.0, mirror]
        along = float(np.sum(mirrored * compass))
        across = float(np.sum(mirrored[:, 0] * compass[:, 1] - mirrored[:, 1] * compass[:, 0]))
        if (agreement := math.hypot(along, across)) > most + 1e-9:
            best, most = _rotated(mirrored, math.atan2(across, along)), agreement
    return best


def _towards(name: str) -> tuple[float, float]:
    """Return where a campus should stand that is called after a point of the compass."""
    directions = [way for word, way in COMPASS.items() if word in name]
    return (sum(x for x, _ in directions), sum(y for _, y in directions))


def _widest(points: np.ndarray) -> np.ndarray:
    if len(points) < 2:
        return points
    _, _, axes = np.linalg.svd(points, full_matrices=True)
    return _rotated(points, -math.atan2(axes[0][1], axes[0][0]))


def _rotated(points: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    turned: np.ndarray = points @ np.array([[cos, sin], [-sin, cos]])
    return turned
