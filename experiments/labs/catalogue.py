"""All labs, by their number."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.labs import budget, failover, hierarchy, latency, localupdates, loss
from experiments.labs.lab import Lab
from topologies.errors import NetworkError

LABS: Mapping[int, Lab] = {
    lab.number: lab
    for lab in (
        latency.LAB,
        loss.LAB,
        hierarchy.LAB,
        failover.LAB,
        localupdates.LAB,
        budget.LAB,
    )
}


def lab_of(number: int) -> Lab:
    """Return a lab; raises NetworkError for a number that none has."""
    if number not in LABS:
        raise NetworkError(f"there is no lab {number}; ./spanlab lab list shows 1 to {len(LABS)}")
    return LABS[number]
