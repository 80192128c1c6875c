"""Files that people write: YAML read safely, validated strictly, errors located."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from topologies import plainyaml
from topologies.errors import NetworkError
from topologies.shown import harmless, one_line, short

MAX_FAULTS = 20
"""That are said of one file; the rest is counted."""
MAX_JSON_BYTES = 64 << 20
"""Of what runs leave behind, which is longer than what people write."""

T = TypeVar("T")


class FileModel(BaseModel):
    """Anything that people write: frozen, unknown keys are errors, no silent conversion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileError(NetworkError):
    """A file that cannot be accepted; the text names file, place, value and what is allowed."""

    def __init__(self, text: str) -> None:
        """Take the text; what a terminal would act on in it is escaped."""
        super().__init__(harmless(text))


def read_yaml(path: Path) -> Any:
    """Return the plain data of a YAML file.

    Raises FileError when it cannot be read or is not what `topologies.plainyaml` takes.
    """
    try:
        return plainyaml.load(_read(path, plainyaml.MAX_BYTES))
    except plainyaml.YamlError as error:
        where = f" line {error.line}, column {error.column}:" if error.line else ""
        raise FileError(f"{one_line(str(path))}:{where} {short(str(error), 160)}") from None


def inside(folder: Path, name: str, where: str) -> Path:
    """Return the file in a folder, or below it, that another file names.

    Raises FileError, after ``where``, for one that is not there, or is elsewhere: a file from a
    stranger is to have nothing read but what came with it, not by a link either.
    """
    told = short(name, 40)
    try:
        path = (folder / name).resolve(strict=True)
        if path.is_relative_to(folder.resolve()) and path.is_file():
            return folder / name
    except (OSError, RuntimeError, ValueError):
        raise FileError(f"{where}: there is no file {told!r} in {folder}") from None
    raise FileError(f"{where}: {told!r} must be a file in {folder} or below; copy it there")


def read_json(path: Path) -> dict[str, Any]:
    """Return what a program left in a JSON file, an object.

    What a terminal would act on in its texts is escaped. Raises FileError when it cannot be read,
    is larger than 64 MiB, or is no such JSON.
    """
    try:
        found = _harmless(as_json(_read(path, MAX_JSON_BYTES, plain_file)))
    except RecursionError:
        raise FileError(f"{one_line(str(path))}: is nested too deep") from None
    except ValueError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{one_line(str(path))}: is not JSON: {short(str(error), 160)}") from None
    if not isinstance(found, dict):
        raise FileError(f"{one_line(str(path))}: is not what a run writes")
    return found


def _harmless(data: Any) -> Any:
    """Return plain data whose texts can be shown."""
    if isinstance(data, str):
        return harmless(data)
    if isinstance(data, dict):
        return {harmless(key): _harmless(it) for key, it in data.items()}
    return [_harmless(it) for it in data] if isinstance(data, list) else data


def as_json(text: str | bytes) -> Any:
    """Return the data of a JSON text; raises ValueError, also for what nests too deep to read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def plain_file(path: str | Path, flags: int) -> int:
    """Open what must be a plain file, for ``open``; a pipe would be waited for without end."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a plain file", str(path))
    return descriptor


def _read(path: Path, most: int, opener: Callable[[str, int], int] | None = None) -> bytes:
    """Return the bytes of a file; raises FileError where there are more than ``most``."""
    shown = one_line(str(path))
    try:
        with open(path, "rb", opener=opener) as file:
            raw = file.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in its name
        if isinstance(error, FileError):
            raise
        why = error.strerror if isinstance(error, OSError) else error
        raise FileError(f"{shown}: cannot be read: {why}") from None
    if len(raw) > most:
        raise FileError(f"{shown}: is larger than {most} bytes")
    return raw


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
        found = error.errors(include_url=False)
        faults = [one_line(_describe(fault, kind)) for fault in found[:MAX_FAULTS]]
        if len(found) > MAX_FAULTS:
            faults.append(f"and {len(found) - MAX_FAULTS} more faults")
        raise FileError("\n".join(f"{one_line(where)}: {fault}" for fault in faults)) from None


def _describe(fault: Any, kind: Any) -> str:
    """Say one fault as ``path: value: message``."""
    where = ".".join(short(str(part)) for part in fault["loc"] if part != "[key]")
    if fault["type"] == "extra_forbidden":
        allowed = _keys_at(kind, fault["loc"][:-1])
        near = get_close_matches(str(fault["loc"][-1])[:64], allowed, n=1)
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


@lru_cache(maxsize=32)
def _schema_of(kind: Any) -> dict[str, Any]:
    return TypeAdapter(kind).json_schema(by_alias=True)


def _keys_at(kind: Any, location: tuple[str | int, ...]) -> list[str]:
    """Return the keys allowed where a location of an error points, from the generated schema."""
    schema = _schema_of(kind)

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
