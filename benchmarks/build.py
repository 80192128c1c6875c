"""How long a large lab takes to be built, to its last rule, and to be gone: a torus of switches.

``python -m benchmarks.build [--size 10] [--rounds 3] [--stock]``: beside it, with ``--stock``, what
Mininet's own command takes for the same torus. Needs root.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.stock import stock_seconds
from experiments.network import running_network
from experiments.scenario import Scenario
from experiments.twin import twin_of
from topologies.emulation.capabilities import probe
from topologies.emulation.ownership import owned_folder


def torus(size: int) -> Scenario:
    """Return one campus whose fabric is a torus, with a host at each switch."""
    fabric = {"kind": "torus", "leaves": size, "spines": size, "rate": "1 Gbit/s", "mtu": 1500}
    return Scenario.model_validate(
        {
            "name": "torus",
            "network": {"campuses": {"torus": {"workers": size * size, "fabric": fabric}}},
            "workload": {"gradients": "1 MB", "compute": "10 ms", "steps": 12},
            "emulate": {"bytes": 1, "time": 1},
        }
    )


def seconds(size: int) -> tuple[float, float]:
    """Build a torus as a run does; return how long until its last rule, and to take it down."""
    scenario = torus(size)
    twin, machine = twin_of(scenario), probe()
    with (
        TemporaryDirectory(prefix="spanlab-benchmarks-") as logs,
        owned_folder(f"benchmark-{time.monotonic_ns()}") as folder,
    ):
        begin = time.monotonic()
        with running_network(twin, machine, scenario, folder=folder, logs=Path(logs)):
            built = time.monotonic()
        return built - begin, time.monotonic() - built


def main() -> None:
    """Measure some rounds, each beside the stock command's, and print the medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.build")
    parser.add_argument("--size", type=int, default=10, help="switches along each way of the torus")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stock", action="store_true", help="time Mininet's own command, too")
    options = parser.parse_args()
    kinds = {"spanlab": seconds, **({"mn": stock_seconds} if options.stock else {})}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for _ in range(options.rounds):
        for name, measure in kinds.items():
            found[name].append(measure(options.size))
            print(name, *(f"{it:.2f}" for it in found[name][-1]), file=sys.stderr, flush=True)
    for name, rounds in found.items():
        up, down = map(statistics.median, zip(*rounds, strict=True))
        print(f"{name}: built in {up:.2f} s, taken down in {down:.2f} s")


if __name__ == "__main__":
    main()
