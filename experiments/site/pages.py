"""Every page that is made from code and data, by its path on the site."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from experiments.schema import scenario_schema
from experiments.site import names
from experiments.site.commandlist import commands_page
from experiments.site.keys import scenario_page


def generated(root: Any, scenarios: Path) -> dict[str, str]:
    """Return the pages; ``root`` is the command above all others.

    ``scenarios`` is the folder of those that come with the project.
    """
    schema = scenario_schema()
    return {
        "reference/scenario.md": scenario_page(schema),
        "reference/scenario.schema.json": json.dumps(schema, indent=1),
        "reference/commands.md": commands_page(root),
        "reference/scenarios.md": names.scenarios_page(scenarios),
        "reference/conditions.md": names.conditions_page(),
        "reference/upgrades.md": names.upgrades_page(),
        "reference/policies.md": names.policies_page(),
        "reference/strategies.md": names.strategies_page(),
        "reference/tasks.md": names.tasks_page(),
    }
