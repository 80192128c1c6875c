"""What a sweep found, in words. Only points with a faithful run are spoken of. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from experiments.coherence import COHERENT
from experiments.reports.facets import Facet, Layout
from experiments.reports.swept import Field, Found

MOST_LINES = 12
"""Sentences on where coherence ends: with more, the figures say it better."""
LEAST = 4
"""Points from which on it is worth asking which field matters."""


def headline(found: Sequence[Found], fields: Sequence[Field]) -> str:
    """Say in a sentence how many points are coherent, and which field decides it most."""
    counted = [it for it in found if it.counts]
    if not counted:
        return "No point has a faithful result: there is nothing to conclude."
    classes = Counter(it.class_ for it in counted)
    of = f"{len(counted)} point" + "s" * (len(counted) > 1)
    sentence = (
        f"{classes['coherent']} of {of} {'is' if classes['coherent'] == 1 else 'are'} coherent"
    )
    shares = effects(counted, fields)
    if shares:
        name, share = max(shares.items(), key=lambda it: it[1])
        sentence += f"; {name} matters most, with {100 * share:.0f} % of the variance of coherence"
    return sentence + "."


def tally(found: Sequence[Found], planned: int) -> list[str]:
    """Say what became of the points, those that do not count included."""
    counted = [it for it in found if it.counts]
    classes = Counter(it.class_ for it in counted)
    said = [
        f"{classes['coherent']} coherent, {classes['degraded']} degraded, "
        f"{classes['incoherent']} incoherent, of {len(counted)} points with a faithful run"
    ]
    if doubted := [it for it in found if not it.counts and it.coherence is not None]:
        said.append(f"without a faithful run, marked and counted nowhere: {_points(len(doubted))}")
    if failed := [it for it in found if it.coherence is None]:
        said.append(f"without a result, since all runs failed: {_points(len(failed))}")
    if left := planned - len(found):
        said.append(f"not run yet: {_points(left)} of {planned}")
    return said


def _points(count: int) -> str:
    return f"{count} point{'' if count == 1 else 's'}"


def effects(counted: Sequence[Found], fields: Sequence[Field]) -> dict[str, float]:
    """Return the share of the variance of coherence that goes with each field, by its name.

    With a field's own few values, the variance between them over all of it (the correlation ratio,
    Fisher 1925); where nearly every point has a value of its own, the squared correlation of ranks
    (Spearman 1904). Shares of fields that work together add up to less, or more, than all.
    """
    values = np.array([it.coherence for it in counted], dtype=float)
    total = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    if len(counted) < LEAST or total == 0:
        return {}
    found = {}
    for field in fields:
        groups: dict[str, list[float]] = {}
        for it in counted:
            groups.setdefault(json.dumps(it.values[field.path]), []).append(it.coherence or 0.0)
        if len(groups) < 2:
            continue
        if len(groups) <= len(counted) / 2:
            between = (len(g) * (np.mean(g) - values.mean()) ** 2 for g in groups.values())
            found[field.name] = float(sum(between)) / total
        elif field.numeric:
            numbers = np.array([field.number(it.values[field.path]) for it in counted])
            found[field.name] = float(np.corrcoef(_ranks(numbers), _ranks(values))[0, 1] ** 2)
    return found


def boundaries(layout: Layout, facets: Sequence[Facet]) -> list[str]:
    """Say up to where each facet is coherent, by points alone: nothing is interpolated."""
    if not layout.axes or layout.scattered:
        return []
    lines = []
    for facet in facets:
        counted = [it for it in facet.found if it.counts]
        about = f"{facet.name}: " if facet.name else ""
        if len(layout.axes) == 1:
            said = reach(layout.axes[0], counted)
            if said:
                lines.append(f"{about}{said}")
            continue
        across, along = layout.axes
        parts = {}
        for value in across.values:
            column = [it for it in counted if it.values[across.path] == value]
            if said := reach(along, column):
                parts[across.said(value)] = said
        if len(set(parts.values())) == 1:
            lines.append(f"{about}{next(iter(parts.values()))}, whatever the {across.name}")
        elif parts:
            each = _merged(across, parts)
            lines.append(about + "; ".join(each))
    return lines if len(lines) <= MOST_LINES else []


def reach(field: Field, counted: Sequence[Found]) -> str:
    """Say up to which value of a field, or from which on, all points are coherent."""
    by_value: dict[float, list[float]] = {}
    names = {}
    for it in counted:
        number = field.number(it.values[field.path])
        names[number] = field.said(it.values[field.path])
        by_value.setdefault(number, []).append(it.coherence or 0.0)
    if not by_value:
        return ""
    numbers = sorted(by_value)
    good = [all(it >= COHERENT for it in by_value[number]) for number in numbers]
    if all(good):
        whole = len(numbers) == len(field.values)
        return f"coherent at every {field.name}" + ("" if whole else " that has a faithful run")
    if not any(good):
        return "nowhere coherent"
    means = [float(np.mean(by_value[number])) for number in numbers]
    rising = means[-1] > means[0]
    ordered = list(zip(numbers, good, strict=True))[:: -1 if rising else 1]
    held = list(_while_good(ordered))
    if not held:
        return f"coherent at some {field.name} only, not at {names[ordered[0][0]]}"
    if rising:
        return f"coherent from {field.name} {names[held[-1]]} on"
    return f"coherent up to {field.name} {names[held[-1]]}"


def _while_good(ordered: Iterable[tuple[float, bool]]) -> Iterable[float]:
    for number, good in ordered:
        if not good:
            return
        yield number


def _merged(across: Field, parts: Mapping[str, str]) -> list[str]:
    """Join neighbours of which the same is said."""
    runs: list[tuple[list[str], str]] = []
    for value, said in parts.items():
        if runs and runs[-1][1] == said:
            runs[-1][0].append(value)
        else:
            runs.append(([value], said))
    return [
        f"at {across.name} {values[0]}{f' to {values[-1]}' if len(values) > 1 else ''} {said}"
        for values, said in runs
    ]


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value, equal ones sharing the mean of theirs."""
    from scipy.stats import rankdata

    ranks: np.ndarray = rankdata(values)
    return ranks
