"""What is said before a network is built that is larger than any that was seen to be faithful."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from experiments.bounds import bounds_here
from experiments.scenario import Scenario
from experiments.twin import Twin
from experiments.twinbounds import beyond


def warn(console: Console, scenario: Scenario, twin: Twin) -> None:
    """Print a sentence on each limit of this machine that a scenario is beyond; it runs anyway."""
    for sentence in beyond(scenario, twin, bounds_here()):
        console.print(Text(sentence, style="yellow"), soft_wrap=True)
