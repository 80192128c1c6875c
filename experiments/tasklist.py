"""What `spanlab tasks` lists."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from workloads import tasks


def listed() -> dict[str, dict[str, Any]]:
    """Return by name what each task declares, for scripts."""
    return {
        name: {
            "about": tasks.about(name),
            "best_loss": tasks.best_loss(name),
            "options": {
                key: {"default": option.default, "allowed": option.allowed, "about": option.about}
                for key, option in tasks.options(name).items()
            },
        }
        for name in tasks.names()
    }


def show_tasks(console: Console) -> None:
    """Print a line for each task, and one for each of its options."""
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("task", "what ranks learn"):
        table.add_column(heading, no_wrap=heading == "task")
    for name, found in listed().items():
        best = found["best_loss"]
        loss = "" if best is None else f" No loss falls below {best:.4f} nats per character."
        table.add_row(name, found["about"] + loss)
        for key, option in found["options"].items():
            table.add_row(f"  {key}: {option['default']}", option["about"])
    console.print(table)
