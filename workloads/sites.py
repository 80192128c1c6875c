"""Where ranks stand: the campuses of a job, in the order of their first ranks. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def campuses(sites: Sequence[str]) -> list[list[int]]:
    """Return the ranks of each campus, given the site of every rank."""
    found: dict[str, list[int]] = {}
    for rank, site in enumerate(sites):
        found.setdefault(site, []).append(rank)
    return list(found.values())


def unequal(sites: Sequence[str]) -> str | None:
    """Say why campuses cannot pair their ranks off: there is one, or they differ in workers."""
    counts = {site: list(sites).count(site) for site in sites}
    if len(counts) < 2:
        return f"all workers are at one campus, {sites[0]}; it takes two or more"
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{site} {count}" for site, count in counts.items())
        return f"campuses must have as many workers each; they have: {told}"
    return None
