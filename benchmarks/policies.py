"""How long do policies take to compute routes? On the demo, and on networks of 1,000 switches.

``python -m benchmarks.policies [--repetitions N] [POLICY ...]`` prints a table of medians beside
their targets. One computation that is not timed goes before each.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.__main__ import machine
from controller import policies
from controller.routes import Demand
from experiments.loading import load_twin
from topologies.graph import Graph, Host, Link, Switch, build_graph
from topologies.linkstate import LinkState
from topologies.spec import NetworkSpec

DEMO = Path(__file__).parents[1] / "experiments" / "scenarios" / "three-campuses.yaml"
RATES_BPS = (10 * 10**9, 40 * 10**9, 100 * 10**9, 400 * 10**9)
TARGETS_S = {"ecmp": 1.0, "max-min-te": 5.0}
DEMO_TARGET_S = 0.1


@dataclass(frozen=True)
class Case:
    """A network, in words too, and the demands that a policy is given."""

    network: str
    graph: Graph
    links: Mapping[str, LinkState]
    demands: Sequence[Demand] = ()
    only: str | None = None

    @property
    def asked(self) -> str:
        """What is asked for, in words."""
        return "every pair" if not self.demands else f"a ring of {len(self.demands)}"


def states(names: Sequence[str], seed: int) -> dict[str, LinkState]:
    """Draw a rate, and a delay of 0.1 to 5 ms, for every span."""
    draw = random.Random(seed)
    return {it: LinkState(draw.choice(RATES_BPS), draw.randrange(10**5, 5 * 10**6)) for it in names}


def mesh(switches: int, workers: int, seed: int = 0) -> Graph:
    """Draw campuses of one switch, some with a worker, joined at random by two spans for each."""
    draw = random.Random(seed)
    ports: Counter[str] = Counter()

    def end(name: str) -> tuple[str, int]:
        ports[name] += 1
        return name, ports[name]

    names = [f"c{number:04}" for number in range(switches)]
    chosen = sorted(draw.sample(names, workers))
    hosts = [Host(f"{it}-w1", it, f"10.{n // 250}.{n % 250}.1", "") for n, it in enumerate(chosen)]
    links = [Link("access", host.name, 0, *end(f"{host.campus}-border"), 0) for host in hosts]
    pairs = [(names[number], draw.choice(names[:number])) for number in range(1, switches)]
    pairs += [two(draw, names) for _ in range(switches + 1)]
    for number, (a, b) in enumerate(pairs):
        ends = (*end(f"{a}-border"), *end(f"{b}-border"))
        links.append(Link("span", *ends, 0, f"s{number:05}"))
    every = [Switch(f"{it}-border", it, number) for number, it in enumerate(names, start=1)]
    return Graph(tuple(hosts), tuple(every), tuple(links))


def largest(seed: int = 0) -> Graph:
    """Draw as many campuses and spans as a scenario may have; leaf-spine, 31 switches each."""
    draw = random.Random(seed)
    names = [f"c{number}" for number in range(32)]
    pairs = [(names[number], draw.choice(names[:number])) for number in range(1, len(names))]
    pairs += [two(draw, names) for _ in range(64 - len(pairs))]
    fabric = {"kind": "leaf-spine", "leaves": 28, "spines": 2}
    spec = {
        "campuses": {it: {"workers": 28, "fabric": fabric} for it in names},
        "spans": {
            f"s{number}": {"rate": "1 Gbit/s", "delay": "1 ms", "between": pair}
            for number, pair in enumerate(pairs)
        },
    }
    return build_graph(NetworkSpec.model_validate(spec))


def two(draw: random.Random, names: Sequence[str]) -> tuple[str, str]:
    """Draw two different names."""
    one, other = draw.sample(names, 2)
    return one, other


def ring(graph: Graph) -> list[Demand]:
    """Return a demand from each campus that has workers to the next, as a ring all-reduce has."""
    homes = sorted({worker.campus for worker in graph.workers})
    return [Demand(*pair) for pair in zip(homes, [*homes[1:], homes[0]], strict=True)]


def cases() -> list[Case]:
    """Return what is measured."""
    _, twin = load_twin(DEMO)
    aged = {span: duplex.worse for span, duplex in twin.initial.items()}
    hundred, thousand, fabrics = mesh(1000, 100), mesh(1000, 1000), largest()
    some = "1,000 switches, 2,000 spans, 100 workers"
    every = "1,000 switches, 2,000 spans, a worker at each"
    campuses = "32 campuses of 31 switches and 28 workers, 64 spans"
    drawn = states(list(hundred.spans), 1)
    return [
        Case(DEMO.stem, twin.graph, aged),
        Case(campuses, fabrics, states(list(fabrics.spans), 3)),
        Case(some, hundred, drawn, ring(hundred)),
        Case(some, hundred, drawn, only="max-min-te"),
        Case(every, thousand, states(list(thousand.spans), 2), ring(thousand)),
    ]


def measure(name: str, case: Case, repetitions: int) -> tuple[list[float], list[float]]:
    """Return the seconds that a policy took each time, and those that the processor spent on it."""
    policy, took, spent = policies.load(name), [], []
    policy(case.graph, case.links, case.demands)
    for _ in range(repetitions):
        begin, begin_spent = time.perf_counter(), time.process_time()
        policy(case.graph, case.links, case.demands)
        took.append(time.perf_counter() - begin)
        spent.append(time.process_time() - begin_spent)
    return took, spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policies")
    parser.add_argument("policy", nargs="*", help=f"of {', '.join(policies.names())}; all")
    parser.add_argument("--repetitions", type=int, default=7)
    options = parser.parse_args()
    chosen = options.policy or policies.names()
    for name in chosen:
        policies.check(name)
    print(f"Medians of {options.repetitions}, on {machine()},")
    print(f"load average before {os.getloadavg()[0]:.1f}.\n")
    print("| network | policy | demands | took | of which processor | target | |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for case in cases():
        for name in [name for name in chosen if case.only in (None, name)]:
            took, spent = measure(name, case, options.repetitions)
            target = DEMO_TARGET_S if case.network == DEMO.stem else TARGETS_S.get(name)
            verdict = "" if not target else "met" if median(took) < target else "MISSED"
            print(
                f"| {case.network} | {name} | {case.asked if name == 'max-min-te' else ''} "
                f"| {median(took) * 1000:.1f} ms | {median(spent) * 1000:.1f} ms "
                f"| {f'{target:g} s' if target else ''} | {verdict} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
