"""What `spanlab strategies` lists."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.strategyoptions import default
from workloads import strategies


def listed() -> dict[str, dict[str, Any]]:
    """Return by name what each strategy declares, for scripts."""
    return {
        name: {
            "about": found.about,
            "synchronous": found.synchronous,
            "options": {
                key: {
                    "default": default(option),
                    "allowed": option.allowed,
                    "about": option.about,
                }
                for key, option in found.options.items()
            },
        }
        for name in strategies.names()
        for found in [strategies.declaration(name)]
    }


def show_strategies(console: Console) -> None:
    """Print a line for each strategy."""
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("strategy", "what it does", "options"):
        table.add_column(heading, no_wrap=heading != "what it does")
    for name, found in listed().items():
        options = [f"{key}: {_text(it['default'])}" for key, it in found["options"].items()]
        table.add_row(name, found["about"], "\n".join(options))
    console.print(table)


def _text(default: object) -> str:
    """Return a default as YAML has it."""
    return str(default).lower() if isinstance(default, bool) else str(default)
