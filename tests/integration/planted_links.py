"""Measures a span that is in another state than it should be.

Run as a script, ``planted_links.py LOGS WHAT`` (see `planted`); prints JSON."""

from __future__ import annotations

import json
import secrets
import sys
from dataclasses import replace
from pathlib import Path

from experiments.links import calibrate, look
from experiments.network import running_network
from experiments.runner import preflight
from experiments.twin import twin_of
from tests.fakes.scenarios import scenario_of, tiny
from topologies.emulation.capabilities import probe
from topologies.emulation.ownership import owned_folder
from topologies.linkstate import Duplex, Jitter, Loss

SPAN = "west-east"
MS = 10**6
SCENARIO = tiny(
    network__spans={
        SPAN: {
            "route": "100 km",
            "rate": "200 Mbit/s",
            "delay": "6 ms",
            "forward": {"jitter": "1 ms", "loss": 0.02},
            "backward": {
                "rate": "100 Mbit/s",
                "delay": "3 ms",
                "loss": {"gilbert_elliott": {"enter": 0.02, "leave": 0.5}},
                "duplicate": 0.02,
            },
        }
    },
    timeline=[],
)


def planted(intended: Duplex) -> dict[str, Duplex]:
    """Return wrong states by what is wrong."""
    forward, backward = intended.ways
    return {
        "forward slower and longer": replace(
            intended, forward=replace(forward, delay_ns=8 * MS, rate_bps=18 * 10**6)
        ),
        "no jitter forward, much loss backward": Duplex(
            replace(forward, jitter=None),
            replace(backward, loss=Loss(0.3), jitter=Jitter(MS), duplicate=0.0),
        ),
    }


def main() -> None:
    """Print the failed quantities of the forward and the backward direction."""
    scenario = scenario_of(SCENARIO)
    twin = twin_of(scenario)
    machine = preflight(scenario, twin, probe())
    with (
        owned_folder(secrets.token_hex(3)) as folder,
        running_network(twin, machine, scenario, folder=folder, logs=Path(sys.argv[1])) as network,
    ):
        calibrate(network, twin.initial)
        network.set_spans({SPAN: planted(twin.initial[SPAN])[sys.argv[2]]})
        ways = look(network, twin.initial, 1.0, lambda text: None)
    print(json.dumps([[row.key for row in way.rows if not row.ok] for way in ways]))


if __name__ == "__main__":
    main()
