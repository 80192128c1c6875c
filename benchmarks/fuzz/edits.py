"""Files as people write them with a few things changed: some stay valid, most do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st
from pydantic import TypeAdapter

from benchmarks.fuzz import nasty
from benchmarks.fuzz.fromschema import FromSchema
from experiments.schema import scenario_schema
from experiments.sweep.spec import SweepSpec

SHIPPED = Path(__file__).parents[2] / "experiments" / "scenarios"
MOST_EDITS = 4

Place = tuple[str | int, ...]


@cache
def texts(key: str) -> tuple[bytes, ...]:
    """Return the project's own files that have a key at their top."""
    files = sorted(SHIPPED.rglob("*.yaml"))
    return tuple(it.read_bytes() for it in files if f"\n{key}:" in it.read_text())


def places(data: Any, here: Place = ()) -> Iterator[Place]:
    """Yield the place of everything in plain data but its top."""
    inner = data.items() if isinstance(data, Mapping) else enumerate(data)
    for key, value in inner:
        yield (*here, key)
        if isinstance(value, Mapping | list):
            yield from places(value, (*here, key))


def within(data: Any, place: Place) -> Any:
    """Return what stands at a place."""
    for part in place:
        data = data[part]
    return data


def names_in(data: Mapping[str, Any]) -> set[str]:
    """Return the names of campuses, spans and upgrades that a scenario uses."""
    found = {str(place[-1]) for place in places(data) if place[:1] == ("network",)}
    return found | {str(value) for it in data.get("timeline", ()) for value in it.values()}


@st.composite
def edited(draw: st.DrawFn, most: int = MOST_EDITS, key: str = "network") -> dict[str, Any]:
    """Draw a shipped scenario, one with a key at its top, with up to ``most`` edits or none."""
    data: dict[str, Any] = yaml.safe_load(draw(st.sampled_from(texts(key))))
    schema = FromSchema(scenario(), names_in(data))
    for _ in range(draw(st.integers(0, most))):
        edit(draw, data, schema)
    return data


@cache
def scenario() -> Mapping[str, Any]:
    """Return the schema of scenarios."""
    return scenario_schema()


def edit(draw: st.DrawFn, data: dict[str, Any], schema: FromSchema) -> None:
    """Change one thing: a value, most often for one that the schema allows, or a key."""
    every = list(places(data))
    leaves = [place for place in every if not isinstance(within(data, place), dict | list)]
    if not leaves:
        return
    place = draw(st.sampled_from(draw(st.sampled_from([leaves, leaves, every]))))
    holder, last = within(data, place[:-1]), place[-1]
    how = draw(st.sampled_from(["fits", "fits", "fits", "adds", "adds", "nasty", "drops", "twin"]))
    if how == "drops":
        del holder[last]
    elif how == "nasty":
        holder[last] = deepcopy(draw(st.sampled_from(nasty.VALUES)))
    elif how == "fits":
        holder[last] = draw(schema.at(place))
    elif how == "twin" and isinstance(holder, list):
        holder.append(deepcopy(holder[int(last)]))
    elif isinstance(holder, dict):
        known = schema.keys_at(place[:-1])
        if how == "twin" or not known:
            holder[draw(st.sampled_from(nasty.TEXTS))] = deepcopy(holder[last])
        else:
            key = draw(st.sampled_from(sorted(known)))
            holder[key] = draw(schema.of(known[key]))


@st.composite
def edited_sweep(draw: st.DrawFn, most: int = MOST_EDITS) -> dict[str, Any]:
    """Draw a sweep of a shipped scenario, whose scenario is written out, with up to ``most`` edits.

    What it varies is drawn likewise: places of the scenario, lists or ranges of what fits there.
    """
    scenario_data = yaml.safe_load(draw(st.sampled_from(texts("network"))))
    schema = FromSchema(scenario(), names_in(scenario_data))
    every = [it for it in places(scenario_data) if all("." not in str(part) for part in it)]
    vary: dict[str, Any] = {}
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(every))
        values = draw(st.lists(schema.at(place), min_size=1, max_size=3))
        ends = {"from": values[0], "to": values[-1], "count": draw(st.integers(2, 4))}
        vary[".".join(map(str, place))] = draw(st.sampled_from([values, values, ends]))
    data = {"name": "drawn", "scenario": scenario_data, "vary": vary}
    if draw(st.booleans()):
        data |= {"design": draw(st.sampled_from(["grid", "zip", "random", "sobol"]))}
        data |= {"points": draw(st.integers(1, 20))} if draw(st.booleans()) else {}
    for _ in range(draw(st.integers(0, most))):
        if data:
            edit(draw, data, FromSchema(sweep_schema()))
    return data


@cache
def sweep_schema() -> Mapping[str, Any]:
    """Return the schema of sweeps."""
    return TypeAdapter(SweepSpec).json_schema(by_alias=True)


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_text(data: Any) -> bytes:
    """Return plain data as a file."""
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text.encode("utf-8", "surrogatepass")


@st.composite
def bytewise(draw: st.DrawFn, key: str = "network", most: int = MOST_EDITS) -> bytes:
    """Draw a shipped file with up to ``most`` of its bytes, lines or pieces changed; often none."""
    raw = bytearray(draw(st.sampled_from(texts(key))))
    for _ in range(draw(st.integers(0, most))):
        at = draw(st.integers(0, max(0, len(raw) - 1)))
        how = draw(st.sampled_from(["digit", "flip", "cut", "insert", "copy", "line"]))
        if how == "digit":
            digits = [index for index, it in enumerate(raw) if chr(it).isdigit()]
            if digits:
                raw[draw(st.sampled_from(digits))] = draw(st.sampled_from(b"0123456789"))
        elif how == "flip" and raw:
            raw[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "cut":
            del raw[at : at + draw(st.integers(1, 40))]
        elif how == "insert":
            raw[at:at] = draw(st.sampled_from(nasty.SNIPPETS))
        elif how == "copy":
            to = draw(st.integers(0, len(raw)))
            raw[to:to] = raw[at : at + draw(st.integers(1, 60))]
        else:
            lines = bytes(raw).splitlines(keepends=True)
            if lines:
                lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(lines)))
            raw = bytearray(b"".join(lines))
    return bytes(raw)
