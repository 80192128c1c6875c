"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

from typing import Any

from experiments.site.markdown import code, page, table


def commands_page(root: Any) -> str:
    """Return the page of all commands below a root, with their arguments and options."""
    sections = [_section(f"spanlab {name}", it) for name, it in commands(root)]
    codes = (
        "Exit codes: 0 done, 1 failed, 2 bad input, 3 the machine lacks something (the message "
        "says what to do), 4 not faithful.\n"
    )
    return page("All commands", "the command line", codes, *sections)


def commands(group: Any, before: str = "") -> list[tuple[str, Any]]:
    """Return all commands of a group and of those below, by what is typed."""
    found: list[tuple[str, Any]] = []
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found += commands(command, f"{before}{name} ")
        else:
            found.append((before + name, command))
    return sorted(found)


def _section(title: str, command: Any) -> str:
    rows = [
        (" ".join(_spelt(parameter)), parameter.help or "")
        for parameter in command.params
        if parameter.name != "help"
    ]
    about = " ".join((command.help or "").split())
    return "\n".join([f"## {title}\n", f"{about}\n", table(("", ""), rows) if rows else ""])


def _spelt(parameter: Any) -> list[str]:
    if parameter.param_type_name == "argument":
        name = code(parameter.metavar or parameter.name.upper())
        return [name] if parameter.required else [name, "(or nothing)"]
    flags = [*parameter.opts, *parameter.secondary_opts]
    value = "" if parameter.is_flag else f" {parameter.metavar or 'N'}"
    spelt = [" or ".join(code(f"{flag}{value}") for flag in flags)]
    if not parameter.is_flag and parameter.default is not None:
        spelt.append(f"({parameter.default} unless stated)")
    return spelt
