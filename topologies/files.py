"""Files that people write: YAML read safely, validated strictly, errors located."""

from __future__ import annotations

from collections.abc import Hashable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from topologies.errors import NetworkError

MAX_BYTES = 1 << 20
MAX_DEPTH = 20

T = TypeVar("T")


class FileModel(BaseModel):
    """Anything that people write: frozen, unknown keys are errors, no silent conversion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileError(NetworkError):
    """A file that cannot be accepted; the text names file, place, value and what is allowed."""


class _Loader(yaml.SafeLoader):
    """Safe loading without aliases, repeated keys or deep nesting."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(
                problem="aliases (*name) are not allowed", problem_mark=self._next_mark()
            )
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=self._next_mark()
            )
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _next_mark(self) -> yaml.Mark:
        mark: yaml.Mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        return mark

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key.value, str):
                continue  # refused below: not hashable
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f'"{key.value}" stands here twice; each name may be used once',
                    problem_mark=key.start_mark,
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """Return the plain data of a YAML file.

    Raises FileError when it cannot be read, is larger than 1 MiB, or is not such YAML.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise FileError(f"{path}: is larger than {MAX_BYTES} bytes")
    try:
        return yaml.load(raw.decode(), _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" line {mark.line + 1}, column {mark.column + 1}:" if mark else ""
        raise FileError(f"{path}:{where} {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise FileError(f"{path}: is not YAML: {str(error).splitlines()[0]}") from None


def read_model(path: Path, kind: type[T], more: dict[str, Any] | None = None) -> T:
    """Read a YAML file as the given type, with ``more`` keys where it does not have them itself.

    Raises FileError with every fault located.
    """
    data = read_yaml(path)
    if data is None:
        raise FileError(f"{path}: is empty")
    if more and isinstance(data, dict):
        data = more | data
    return as_model(data, kind, str(path))


def as_model(data: Any, kind: type[T], where: str) -> T:
    """Return plain data as the given type.

    Raises FileError with every fault located after ``where``.
    """
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        faults = [_describe(fault, kind) for fault in error.errors(include_url=False)]
        raise FileError("\n".join(f"{where}: {fault}" for fault in faults)) from None


def _describe(fault: Any, kind: Any) -> str:
    """Say one fault as ``path: value: message``."""
    where = ".".join(str(part) for part in fault["loc"] if part != "[key]")
    if fault["type"] == "extra_forbidden":
        allowed = _keys_at(kind, fault["loc"][:-1])
        near = get_close_matches(str(fault["loc"][-1]), allowed, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        return f"{where}: unknown key; allowed: {', '.join(allowed)}{hint}"
    if fault["type"] == "missing":
        return f"{where}: is missing"
    if fault["type"] in ("model_type", "dict_type"):
        return f"{where}: must hold keys and values" if where else "must hold keys and values"
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    value = fault["input"]
    if isinstance(value, dict | list | tuple | BaseModel):
        return f"{where}: {message}" if where else message
    return f"{where}: {str(value)[:64]!r} {message}"


def _keys_at(kind: Any, location: tuple[str | int, ...]) -> list[str]:
    """Return the keys allowed where a location of an error points, from the generated schema."""
    schema = TypeAdapter(kind).json_schema(by_alias=True)

    def resolve(node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            node = schema["$defs"][node["$ref"].split("/")[-1]]
        return node

    node = resolve(schema)
    for part in location:
        choices = [resolve(choice) for choice in node.get("anyOf", node.get("oneOf", [])) or [node]]
        for choice in choices:
            if part in choice.get("properties", {}):
                node = resolve(choice["properties"][part])
                break
            named = [
                *choice.get("patternProperties", {}).values(),
                choice.get("additionalProperties"),
            ]
            inner = choice.get("items") if isinstance(part, int) else named[0]
            if isinstance(inner, dict):
                node = resolve(inner)
                break
    choices = [resolve(choice) for choice in node.get("anyOf", node.get("oneOf", [])) or [node]]
    return sorted({key for choice in choices for key in choice.get("properties", {})})
