"""Which finished runs are repetitions of each other, and what sets the others apart. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.finished import FinishedRun
from topologies.errors import NetworkError

MOST_TOLD = 2
"""Values that fit into the name of a scenario."""


@dataclass(frozen=True)
class Group:
    """Repetitions: runs whose scenarios differ in nothing but the seed.

    Attributes:
        name: of the scenario, with what sets it apart from others of that name.
        runs: those that count, in order.
        aside: those that do not, since their emulation was not faithful.
    """

    name: str
    runs: Sequence[FinishedRun]
    aside: Sequence[FinishedRun]


def groups_of(runs: Sequence[FinishedRun], *, unfaithful: bool = False) -> list[Group]:
    """Sort runs into repetitions; ``unfaithful`` runs count only when told to.

    Raises NetworkError where a run is named twice: it would be taken for two repetitions.
    """
    folders: dict[str, FinishedRun] = {}
    by_scenario: dict[tuple[tuple[str, str], ...], list[FinishedRun]] = {}
    for run in runs:
        same = folders.setdefault(run.result["run"], run)
        if same is not run:
            raise NetworkError(f"{run.folder}: is the same run as {same.folder}; name it once")
        by_scenario.setdefault(tuple(sorted(_values(run).items())), []).append(run)
    found = list(by_scenario.values())
    return [
        Group(
            name,
            [it for it in group if unfaithful or it.verdict == "faithful"],
            [it for it in group if not unfaithful and it.verdict != "faithful"],
        )
        for name, group in zip(_names([group[0] for group in found]), found, strict=True)
    ]


def differing(groups: Sequence[Group]) -> list[tuple[str, list[str | None]]]:
    """Return each path at which scenarios differ, and what each states there, None for nothing."""
    if len(groups) < 2:
        return []
    values = [_values((*group.runs, *group.aside)[0]) for group in groups]
    found = []
    for path in dict.fromkeys(path for each in values for path in each):
        stated = [each.get(path) for each in values]
        if len(set(stated)) > 1:
            found.append((path, stated))
    return found


def _names(runs: Sequence[FinishedRun]) -> list[str]:
    """Name scenarios; several of one name by the values in which they differ, or by a folder."""
    values = [_values(run) for run in runs]
    names = []
    for run, own in zip(runs, values, strict=True):
        alike = [it for it in values if it["name"] == own["name"]]
        paths = dict.fromkeys(path for it in alike for path in it)
        differ = [path for path in paths if len({it.get(path) for it in alike}) > 1]
        said = f" ({', '.join(f'{_last(path)} {own.get(path)}' for path in differ)})"
        if len(differ) > MOST_TOLD or any(path not in it for it in alike for path in differ):
            said = f" ({run.folder.name or run.folder})"
        names.append(own["name"] + (said if len(alike) > 1 else ""))
    return names


def _last(path: str) -> str:
    """Return the key at the end of a path."""
    return path.rpartition(".")[2]


def _values(run: FinishedRun) -> dict[str, str]:
    """Return every value of a run's scenario but the seed, as text by its path."""
    return dict(leaves({key: it for key, it in run.scenario.items() if key != "seed"}))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every value inside a scenario's plain data as text, after its path."""
    inner: Iterator[tuple[Any, Any]] | None = None
    if isinstance(value, Mapping):
        inner = iter(value.items())
    elif isinstance(value, list | tuple):
        inner = enumerate(value)
    if inner is None:
        yield path, str(value)
    else:
        for key, it in inner:
            yield from leaves(it, f"{path}.{key}" if path else str(key))
