"""What becomes of a job whose ranks were lost: who goes on, and whether they can."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from controller.client import ControllerClient
from experiments.errors import RanksLost, RunFailed
from experiments.legs import Leg, within_reach
from experiments.network import Network
from experiments.twin import Strategy
from workloads import strategies

RETURN_TIMEOUT_S = 120.0
"""How long ranks that are to restart wait for a campus that is cut off."""


def wait_for_return(
    leg: Leg, sites: Sequence[str], network: Network, tend: Callable[[], None]
) -> None:
    """Wait until no campus is cut off from another; raises RunFailed where that takes too long."""
    deadline = time.monotonic() + RETURN_TIMEOUT_S
    while len(within_reach(sites, leg.members, cut_off(network))) < len(leg.members):
        if time.monotonic() > deadline:
            apart = ", ".join(f"{a} from {b}" for a, b in cut_off(network))
            raise RunFailed(
                f"ranks cannot restart: still cut off after {RETURN_TIMEOUT_S:g} s: {apart}"
            )
        time.sleep(0.05)
        tend()


def left_behind(
    leg: Leg,
    lost: Collection[int],
    sites: Sequence[str],
    network: Network,
    strategy: Strategy,
    loss: RanksLost,
) -> set[int]:
    """Return the members of a leg that training goes on without; raises RanksLost if it cannot."""
    left = within_reach(sites, set(leg.members) - set(lost), cut_off(network))
    reached = [sites[rank] for rank in left]
    options = strategies.settled(strategy.name, strategy.options)
    if reason := strategies.refuse(strategy.name, reached, options):
        raise RanksLost(f"{loss}\nThose that are left cannot go on: {reason}")
    return set(leg.members) - set(left)


def cut_off(network: Network) -> Sequence[tuple[str, str]]:
    """Return the campuses that the controller finds no way between."""
    return network.supervised.ask(ControllerClient.health).cut_off
