"""The JSON schema of scenario files: for editors, and for the reference that is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.scenario import Scenario
from experiments.strategyoptions import default
from topologies.units import exact
from workloads import strategies, tasks
from workloads.option import Option

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOT_OF_TEXT = ("gt", "ge", "lt", "le")
"""Bounds of quantities, which a schema cannot put on their texts."""


def scenario_schema() -> dict[str, Any]:
    """Return the JSON schema of a scenario file: all keys, their types, defaults and meaning.

    It accepts every file that the models accept, and refuses most that they refuse; what keys mean
    to each other, and bounds of quantities, only ``spanlab validate`` knows.
    """
    schema = Scenario.model_json_schema(by_alias=True)
    _settle(schema)
    kinds = schema["$defs"]
    kinds["StrategySpec"] = _with_options(
        kinds["StrategySpec"],
        {name: strategies.declaration(name).options for name in strategies.names()},
    )
    kinds["TaskSpec"] = _with_options(
        kinds["TaskSpec"], {name: tasks.options(name) for name in tasks.names()}
    )
    return {"$schema": DIALECT, **schema}


def _settle(node: Any) -> None:
    """Write defaults of quantities as files do, and leave out what no schema knows."""
    if isinstance(node, list):
        for item in node:
            _settle(item)
    if not isinstance(node, dict):
        return
    for value in node.values():
        _settle(value)
    if dimension := node.get("dimension"):
        for bound in _NOT_OF_TEXT:
            node.pop(bound, None)
        if isinstance(node.get("default"), int):
            node["default"] = exact(node["default"], dimension)


def _with_options(
    schema: dict[str, Any], options: Mapping[str, Mapping[str, Option]]
) -> dict[str, Any]:
    """Return the schema of a named thing that knows which options stand beside which name."""
    named = schema["properties"]["name"]["default"]
    rules = []
    for name, declared in options.items():
        keys = {key: _option_schema(option) for key, option in declared.items()}
        said: dict[str, Any] = {"properties": {"name": {"const": name}}}
        if name != named:  # where no name is stated, it is that one
            said["required"] = ["name"]
        rules.append(
            {
                "if": said,
                "then": {"properties": {"name": True, **keys}, "additionalProperties": False},
            }
        )
    return {**schema, "allOf": rules}


def _option_schema(option: Option) -> dict[str, Any]:
    stated: dict[str, Any] = {"description": option.about, "default": default(option)}
    if option.unit:
        return {"type": "string", "dimension": option.unit, **stated}
    if isinstance(option.default, bool):
        return {"type": "boolean", **stated}
    bounds = {"minimum": option.least}
    if option.most != float("inf"):
        bounds["maximum"] = option.most
    return {"type": "integer" if isinstance(option.default, int) else "number", **bounds, **stated}
