"""Generated references leave nothing out."""

from __future__ import annotations

from pathlib import Path

from typer.main import get_command

from controller import policies
from experiments.cli import app
from experiments.schema import scenario_schema
from experiments.site.commandlist import commands, commands_page
from experiments.site.keys import scenario_page
from experiments.site.markdown import table
from experiments.site.pages import generated
from topologies.catalogue import bundled
from workloads import strategies, tasks

ROOT = Path(__file__).parents[3]
PAGES = generated(get_command(app), ROOT / "experiments" / "scenarios")


def rows(page: str) -> dict[str, str]:
    """Return the lines of all tables by their first cell."""
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    return {line.split("`")[1]: line for line in lines}


def test_every_key_of_a_scenario_has_a_row_with_its_meaning() -> None:
    schema = scenario_schema()
    found = rows(scenario_page(schema))
    for kind, definition in {"the file": schema, **schema["$defs"]}.items():
        for key in definition["properties"]:
            assert key in found, f"{kind}: {key}"
    for key, line in found.items():
        cells = [cell.strip() for cell in line.replace(r"\|", "").strip("|").split("|")]
        assert len(cells) in (3, 4), line
        assert all(cells), f"{key} has an empty cell: {line}"


def test_units_bounds_and_names_are_said() -> None:
    page = PAGES["reference/scenario.md"]
    assert "| rate | `bit/s`, `kbit/s`, `Mbit/s`, `Gbit/s`, `Tbit/s` | `10 Gbit/s` |" in page
    assert "| `workers` | whole number from 1 to 128 | **required** |" in page
    assert "| `rate` | [rate](#quantities) | `400 Gbit/s` |" in page
    assert "`leaf-spine`, `star`, `ring`, `torus` | `leaf-spine`" in page
    for name in policies.names():
        assert f"`{name}`" in next(line for line in page.splitlines() if "| `policy` |" in line)


def test_everything_that_has_a_name_is_described() -> None:
    for name in policies.names():
        assert f"| `{name}` |" in PAGES["reference/policies.md"]
    for name in strategies.names():
        assert f"\n## {name}\n" in PAGES["reference/strategies.md"]
        for option in strategies.declaration(name).options:
            assert f"| `{option}` |" in PAGES["reference/strategies.md"]
    for name in tasks.names():
        assert f"\n## {name}\n" in PAGES["reference/tasks.md"]
    known = bundled()
    for name in (*known.conditions, *known.optics, *known.codes):
        assert f"| `{name}` |" in PAGES["reference/conditions.md"]
    for name in known.upgrades:
        assert f"\n## {name}\n" in PAGES["reference/upgrades.md"]


def test_every_command_and_option_is_described() -> None:
    root = get_command(app)
    page = commands_page(root)
    for name, command in commands(root):
        assert f"\n## spanlab {name}\n" in page
        for parameter in command.params:
            for flag in parameter.opts if parameter.param_type_name == "option" else ():
                assert flag == "--help" or flag in page, f"{name} {flag}"


def test_cells_may_hold_bars() -> None:
    assert table(("a",), [("x | y",)]).splitlines()[-1] == r"| x \| y |"
