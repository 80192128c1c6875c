"""The reference of the scenario file, made from its JSON schema. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from experiments.site.markdown import code, page, table
from topologies.units import UNITS

Schema = Mapping[str, Any]

ELSEWHERE = {
    "policy": "policies.md",
    "strategy": "strategies.md",
    "task": "tasks.md",
    "condition": "conditions.md",
    "with": "upgrades.md",
    "upgrades": "upgrades.md",
    "costs": "upgrades.md",
}
"""By key, the page that describes each of the names it takes."""
_LEAST_SHARED = 5
"""Keys that two things must share for one to be described by the other."""

_INTRODUCTION = """\
A scenario file is YAML. An unknown key is an error, and so is a quantity without its unit; errors
name the file, the place, the value and what is allowed.

Editors complete and check what is typed by a [JSON schema](scenario.schema.json) of the same: write
it with `./spanlab schema > scenario.schema.json`, and let a scenario begin with
`# yaml-language-server: $schema=scenario.schema.json`.

`NAME` stands for names of your own: a small letter, then up to 31 small letters, digits and dashes.

## Quantities
"""


def scenario_page(schema: Schema) -> str:
    """Return the page of all keys; ``schema`` is that of `experiments.schema.scenario_schema`."""
    reader = _Reader(schema)
    units = table(
        ("quantity", "units", "example"),
        ((name, ", ".join(map(code, UNITS[name])), code(reader.example(name))) for name in UNITS),
    )
    sections = (reader.section(kind) for kind in reader.paths)
    return page("The scenario file", "the models that read it", _INTRODUCTION, units, *sections)


class _Reader:
    """A schema, and in ``paths`` where each kind of thing stands."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.paths: dict[str, list[str]] = {"": ["the file"]}
        self._visit("", "")

    def example(self, dimension: str) -> str:
        """Return a quantity of a dimension, as the schema has it."""
        found = (it for it in _nodes(self._schema) if it.get("dimension") == dimension)
        return str(next(it["examples"][0] for it in found if it.get("examples")))

    def section(self, kind: str) -> str:
        """Return heading and keys of one kind of thing."""
        paths, definition = self.paths[kind], self._definition(kind)
        title = code(paths[0]) if kind else "The file"
        about = re.sub(r"``([^`]*)``", r"`\1`", definition.get("description", ""))
        keys = dict(definition["properties"])
        shared = self._shared(kind)
        if shared:
            for key in self._definition(shared)["properties"]:
                del keys[key]
            about += f"\n\nIt has every key of {self._link(shared)}, too."
        if paths[1:]:
            about += f"\n\nAlso as {' and '.join(map(code, paths[1:]))}."
        rows = (self._row(key, value, definition) for key, value in keys.items())
        heading = f"## {title} {{ #{_anchor(kind)} }}"
        return "\n".join(
            [heading, "", about, "", table(("key", "value", "default", "meaning"), rows)]
        )

    def _definition(self, kind: str) -> Schema:
        found: Schema = self._schema["$defs"][kind] if kind else self._schema
        return found

    def _visit(self, kind: str, path: str) -> None:
        for key, value in self._definition(kind)["properties"].items():
            for below, inner in _parts(value, f"{path}.{key}" if path else key):
                known = inner in self.paths
                self.paths.setdefault(inner, []).append(below)
                if not known:
                    self._visit(inner, below)

    def _shared(self, kind: str) -> str | None:
        """Return the kind all of whose keys this one has too."""
        own = self._definition(kind)["properties"]
        for other in self.paths:
            theirs = self._definition(other)["properties"]
            smaller = other != kind and _LEAST_SHARED <= len(theirs) < len(own)
            if smaller and all(own.get(key) == value for key, value in theirs.items()):
                return other
        return None

    def _link(self, kind: str) -> str:
        """Return a link that is labelled by the end of a path."""
        head, _, last = self.paths[kind][0].removesuffix("[]").rpartition(".")
        label = f"{head.rpartition('.')[2]}.{last}" if last == "NAME" else last
        return f"[{label}](#{_anchor(kind)})"

    def _row(self, key: str, value: Schema, definition: Schema) -> tuple[str, ...]:
        required = key in definition.get("required", ())
        default = "**required**" if required else _default(value)
        meaning = value.get("description", "")
        if key in ELSEWHERE:
            meaning += f" ([names]({ELSEWHERE[key]}))"
        return code(key), self._value(value), default, meaning

    def _value(self, node: Schema) -> str:
        """Say in words what may be stated."""
        if "$ref" in node:
            return self._link(_referred(node))
        if "anyOf" in node:
            choices = [self._value(it) for it in node["anyOf"] if it.get("type") != "null"]
            return " or ".join(dict.fromkeys(choices))
        if "const" in node:
            return code(node["const"])
        if "enum" in node:
            return ", ".join(map(code, node["enum"]))
        if "dimension" in node:
            return f"[{node['dimension']}](#quantities)"
        if "patternProperties" in node or isinstance(node.get("additionalProperties"), dict):
            return f"by NAME: {self._value(_inner(node))}"
        if "prefixItems" in node:
            return "[" + ", ".join(self._value(it) for it in node["prefixItems"]) + "]"
        if "items" in node:
            return f"list of {self._value(node['items'])}"
        return _plain(node)


def _plain(node: Schema) -> str:
    """Say what a text or a number may be."""
    kind = node.get("type")
    if kind == "boolean":
        return "`true` or `false`"
    if kind in ("integer", "number"):
        name = "whole number" if kind == "integer" else "number"
        least, above = node.get("minimum"), node.get("exclusiveMinimum")
        most, below = node.get("maximum"), node.get("exclusiveMaximum")
        bounds = []
        if least is not None and above is None:
            bounds.append(f"from {least:,}")
        if above is not None:
            bounds.append(f"above {above:,}")
        if most is not None:
            bounds.append(f"to {most:,}")
        if below is not None:
            bounds.append(f"below {below:,}")
        return " ".join([name, *bounds])
    if isinstance(kind, list) or node.get("examples", ["north"]) != ["north"]:
        return ", ".join(map(code, node["examples"]))
    if str(node.get("pattern", "")).startswith("^[a-z]"):
        return "name"
    return "text"


def _default(node: Schema) -> str:
    default = node.get("default")
    if default in (None, "", [], {}) or isinstance(default, dict):
        name = default.get("name") if isinstance(default, dict) else None
        return code(name) if name else "—"
    if isinstance(default, list):
        return ", ".join(map(code, default))
    return code(default)


def _referred(node: Schema) -> str:
    return str(node["$ref"]).rpartition("/")[2]


def _inner(node: Schema) -> Schema:
    """Return what the values of a mapping by names are."""
    named = node.get("patternProperties") or {"": node.get("additionalProperties")}
    inner: Schema = next(iter(named.values()))
    return inner


def _parts(node: Schema, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the kind of every thing that a value may hold directly."""
    if "$ref" in node:
        yield path, _referred(node)
    for choice in node.get("anyOf", ()):
        yield from _parts(choice, path)
    if "items" in node:
        yield from _parts(node["items"], f"{path}[]")
    if "patternProperties" in node or isinstance(node.get("additionalProperties"), dict):
        yield from _parts(_inner(node), f"{path}.NAME")


def _nodes(node: Any) -> Iterator[Schema]:
    if isinstance(node, dict):
        yield node
    for value in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from _nodes(value)


def _anchor(kind: str) -> str:
    return kind.lower().removesuffix("spec") or "the-file"
