"""Builds a lab, opens it in ways that a fault could, and prints what is found of each, as JSON.

Run as a script, ``open_lab.py LOGS``. The machine that it could lead to is a namespace as well.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

from experiments.network import running_network
from experiments.runner import preflight
from experiments.twin import twin_of
from tests.fakes.scenarios import scenario_of, tiny
from topologies.emulation.capabilities import probe
from topologies.emulation.kernel import private_network
from topologies.emulation.ownership import owned_folder

HOST = "west-w1"


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def listeners(*within: str) -> list[str]:
    """Return the addresses at which anything listens for TCP or UDP in a namespace."""
    command = [*within, "ss", "-Hltun"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [line.split()[4].rpartition(":")[0] for line in done.stdout.splitlines()]


def main() -> None:
    """Print what is found of a closed lab, and of each way that is opened in turn."""
    scenario = scenario_of(tiny(timeline=[]))
    twin = twin_of(scenario)
    machine, logs = preflight(scenario, twin, probe()), Path(sys.argv[1])
    told = {}
    with private_network():
        run("ip", "link", "add", "real0", "type", "veth", "peer", "real1")
        run("ip", "link", "set", "real1", "up")
        run("ip", "addr", "add", "192.0.2.1/24", "dev", "real0")
        run("ip", "link", "set", "real0", "up")
        with (
            owned_folder(secrets.token_hex(3)) as folder,
            running_network(twin, machine, scenario, folder=folder, logs=logs) as network,
        ):
            lab = network.lab
            pid, outside = str(lab.pid(HOST)), f"/proc/{os.getpid()}/fd/{network.outside}"
            within = ("mnexec", "-a", pid)
            told["nothing"] = network.ways_out()
            told["listeners of the run"] = listeners()
            told["listeners of the machine"] = listeners("nsenter", f"--net={outside}")
            told["listeners of a host"] = listeners(*within)

            run("ip", "link", "add", "leak0", "type", "veth", "peer", "leak1")
            run("ip", "link", "set", "leak0", "netns", pid)
            run("ip", "link", "set", "leak1", "netns", outside)
            run("nsenter", f"--net={outside}", "ip", "link", "set", "leak1", "up")
            run(*within, "ip", "link", "set", "leak0", "up")
            told["a device"] = network.ways_out()
            run(*within, "ip", "route", "add", "192.0.2.0/24", "dev", "leak0")
            back = ("192.0.2.2", "dev", "leak1")
            run("nsenter", f"--net={outside}", "ip", "route", "add", *back)
            run(*within, "ip", "addr", "add", "192.0.2.2/24", "dev", "leak0", "noprefixroute")
            told["a route that is answered"] = network.ways_out()
            run(*within, "ip", "link", "del", "leak0")

            run("ip", "link", "add", "leak2", "type", "veth", "peer", "leak3")
            run("ip", "link", "set", "leak3", "netns", outside)
            run("ip", "link", "set", "leak2", "up")
            run("ovs-vsctl", "add-port", lab.bridges[0], "leak2")
            told["a port"] = network.ways_out()
            run("ovs-vsctl", "del-port", lab.bridges[0], "leak2")
            run("ip", "link", "del", "leak2")

            run("ip", "route", "add", "198.51.100.0/24", "dev", "lo")
            told["a route of the switches"] = network.ways_out()
            run("ip", "route", "del", "198.51.100.0/24", "dev", "lo")
            told["nothing any more"] = network.ways_out()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
