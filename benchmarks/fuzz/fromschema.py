"""Values that a JSON schema allows, as strategies of hypothesis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import strategies as st

from topologies.units import UNITS

SMALL = 3
"""Entries of a list or of a mapping that has no fixed keys, at the most."""


class FromSchema:
    """Strategies of the places in a schema.

    Attributes:
        schema: the whole of it, whose ``$defs`` references lead to.
        names: that texts may take which name something, so that some of them fit.
    """

    def __init__(self, schema: Mapping[str, Any], names: Iterable[str] = ()) -> None:
        """Take a schema, and names to use."""
        self.schema, self.names = schema, sorted(names)

    def resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a node of the schema, references followed."""
        while "$ref" in node:
            node = self.schema["$defs"][node["$ref"].rpartition("/")[2]]
        return node

    def keys_at(self, place: Iterable[str | int]) -> dict[str, Mapping[str, Any]]:
        """Return what may stand within a place of a document, by key."""
        found: dict[str, Mapping[str, Any]] = {}
        for node in self._at(place):
            found |= node.get("properties", {})
        return found

    def at(self, place: Iterable[str | int]) -> st.SearchStrategy[Any]:
        """Return what a place in a document may hold; anything where the schema has no such."""
        nodes = self._at(place)
        return st.one_of([self.of(node) for node in nodes]) if nodes else anything()

    def _at(self, place: Iterable[str | int]) -> list[Mapping[str, Any]]:
        nodes = [self.resolved(self.schema)]
        for part in place:
            nodes = [deeper for node in nodes for deeper in self._within(node, part)]
        return nodes

    def _within(self, node: Mapping[str, Any], part: str | int) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for choice in self._choices(node):
            inner: Any = choice.get("items") if isinstance(part, int) else None
            if isinstance(part, str):
                inner = choice.get("properties", {}).get(part)
                patterns = [*choice.get("patternProperties", {}).values()]
                inner = inner or next(iter(patterns), None) or choice.get("additionalProperties")
            if isinstance(inner, Mapping):
                found += self._choices(inner)
        return found

    def _choices(self, node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        node = self.resolved(node)
        several = node.get("anyOf") or node.get("oneOf")
        return [it for one in several for it in self._choices(one)] if several else [node]

    def of(self, node: Mapping[str, Any], depth: int = 4) -> st.SearchStrategy[Any]:
        """Return what a node allows, nested ``depth`` deep at the most."""
        node = self.resolved(node)
        if several := node.get("anyOf") or node.get("oneOf"):
            return st.one_of([self.of(it, depth) for it in several])
        if "const" in node:
            return st.just(node["const"])
        if "enum" in node:
            return st.sampled_from(node["enum"])
        kind = node.get("type")
        if isinstance(kind, list):
            return st.one_of([self.of({**node, "type": it}, depth) for it in kind])
        if kind == "object":
            return self._objects(node, depth)
        if kind == "array":
            return self._arrays(node, depth)
        return self._scalars(node, kind)

    def _scalars(self, node: Mapping[str, Any], kind: str | None) -> st.SearchStrategy[Any]:
        if kind == "string":
            return self._texts(node)
        if kind == "integer":
            least = node.get("minimum", node.get("exclusiveMinimum", -1) + 1)
            most = node.get("maximum", least + 1000)
            return st.one_of(st.integers(least, most), st.integers(least, min(most, least + 8)))
        if kind == "number":
            least, most = node.get("minimum", 0), node.get("maximum", 100)
            return st.one_of(
                st.floats(least, most, allow_nan=False, allow_subnormal=False),
                st.sampled_from([least, most, (least + most) / 2]),
            )
        if kind == "boolean":
            return st.booleans()
        return st.none() if kind == "null" else anything()

    def _texts(self, node: Mapping[str, Any]) -> st.SearchStrategy[str]:
        if dimension := node.get("dimension"):
            return quantities(dimension)
        if pattern := node.get("pattern"):
            drawn = st.from_regex(pattern.replace("^", r"\A").replace("$", r"\Z"))
            return st.one_of(st.sampled_from(self.names), drawn) if self.names else drawn
        examples = [*node.get("examples", ()), *self.names]
        return st.one_of(st.sampled_from(examples), st.text(max_size=8)) if examples else st.text()

    def _objects(self, node: Mapping[str, Any], depth: int) -> st.SearchStrategy[dict[str, Any]]:
        known = node.get("properties", {})
        if depth <= 0:
            return st.just({})
        needed = {key: self.of(known[key], depth - 1) for key in node.get("required", ())}
        others = {key: self.of(it, depth - 1) for key, it in known.items() if key not in needed}
        if known:
            few = (
                st.sets(st.sampled_from(sorted(others)), max_size=SMALL)
                if others
                else st.just(set())
            )
            return few.flatmap(
                lambda chosen: st.fixed_dictionaries(
                    {**needed, **{key: others[key] for key in sorted(chosen)}}
                )
            )
        patterns = node.get("patternProperties", {})
        inner = next(iter(patterns.values()), node.get("additionalProperties"))
        if not isinstance(inner, Mapping):
            return st.just({})
        keys = self._texts({"pattern": next(iter(patterns), "^[a-z]{1,8}$")})
        return st.dictionaries(keys, self.of(inner, depth - 1), max_size=SMALL)

    def _arrays(self, node: Mapping[str, Any], depth: int) -> st.SearchStrategy[list[Any]]:
        if depth <= 0:
            return st.just([])
        if several := node.get("prefixItems"):
            return st.tuples(*[self.of(it, depth - 1) for it in several]).map(list)
        least, most = node.get("minItems", 0), min(node.get("maxItems", SMALL), SMALL)
        return st.lists(
            self.of(node.get("items", {}), depth - 1), min_size=least, max_size=max(least, most)
        )


def quantities(dimension: str) -> st.SearchStrategy[str]:
    """Return texts of quantities, most of them of a size that somebody could mean."""
    units = sorted(UNITS[dimension])
    numbers = st.one_of(st.integers(0, 1000), st.sampled_from(["0.5", "1.25", "0", str(2**62)]))
    return st.builds(lambda number, unit: f"{number} {unit}", numbers, st.sampled_from(units))


def anything() -> st.SearchStrategy[Any]:
    """Return any small piece of plain data."""
    leaves = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=5))
    return st.recursive(leaves, lambda it: st.lists(it, max_size=2), max_leaves=4)
