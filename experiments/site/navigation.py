"""Which page stands where on the site. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

SECTIONS: dict[str, tuple[str, ...]] = {
    "Begin": ("index.md", "quick-start.md", "concepts.md", "dashboard.md", "live.md"),
    "Labs": ("labs/",),
    "Use": (
        "sweeps.md",
        "planner.md",
        "reports.md",
        "results.md",
        "policies.md",
        "strategies.md",
        "tasks.md",
        "recovery.md",
        "containers.md",
        "virtual-machine.md",
    ),
    "Look up": (
        "readme.md",
        "reference/scenario.md",
        "reference/commands.md",
        "reference/scenarios.md",
        "reference/conditions.md",
        "reference/upgrades.md",
        "reference/policies.md",
        "reference/strategies.md",
        "reference/tasks.md",
    ),
    "How it works": (
        "how-it-works.md",
        "ownership.md",
        "similarity.md",
        "limits.md",
        "controller.md",
        "model.md",
        "measurements.md",
        "scoreboard.md",
        "published.md",
        "security.md",
    ),
    "Help": ("faq.md", "troubles.md", "contributing.md"),
}
"""By heading, its pages in order; a folder stands for all pages in it, its index first."""
OTHERS = "Help"
"""Where a page goes that stands nowhere above."""
TITLES = {"readme.md": "All on one page (README)"}
"""Of pages whose own first heading would say too little there."""


def navigation(pages: Iterable[str]) -> list[dict[str, list[Any]]]:
    """Return mkdocs' ``nav`` of pages that exist: known ones in order, then all others."""
    left = set(pages)
    found: dict[str, list[str]] = {}
    for heading, known in SECTIONS.items():
        found[heading] = []
        for place in known:
            there = [page for page in left if page == place or _within(page, place)]
            found[heading] += sorted(there, key=_turn)
            left -= set(there)
    found[OTHERS] += sorted(left, key=_turn)
    return [
        {heading: [{TITLES[page]: page} if page in TITLES else page for page in listed]}
        for heading, listed in found.items()
        if listed
    ]


def _within(page: str, folder: str) -> bool:
    return folder.endswith("/") and page.startswith(folder)


def _turn(page: str) -> tuple[Any, ...]:
    """Order by folder, the index first, and numbers by size."""
    folder, _, name = page.rpartition("/")
    parts = re.split(r"(\d+)", name)
    numbered = [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
    return folder, name not in ("index.md", "README.md"), numbered
