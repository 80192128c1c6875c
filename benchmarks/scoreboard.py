"""What a study found, and the page that shows all of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

ORDER = ("relay", "shaping", "jitter", "load", "loss", "model", "controller", "loop", "collectives")


@dataclass
class Table:
    """A table; a cell is text, a number (shown with four digits) or None (not measured)."""

    headers: list[str]
    rows: list[list[Any]] = field(default_factory=list)
    caption: str = ""

    @property
    def markdown(self) -> list[str]:
        """Return its lines."""
        return _markdown(self.headers, self.rows)


@dataclass
class Target:
    """What a figure should be: at the most, or at the least, ``limit``."""

    what: str
    value: float
    limit: float
    at_most: bool = True
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure is where it should be; one that is not a number is not."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit


@dataclass
class Study:
    """The result of one study.

    Attributes:
        measured: when, on which machine, by which command and for how long, in the order shown.
        remarks: what a reader must know to judge the figures.
        raw: the figures behind the tables, for scripts.
    """

    name: str
    title: str
    tables: list[Table] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    measured: dict[str, str] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the study as plain data; see `from_json`."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Study:
        """Return the study that `to_json` gave."""
        return Study(
            **{
                **data,
                "tables": [Table(**table) for table in data["tables"]],
                "targets": [Target(**target) for target in data["targets"]],
            }
        )


def page(studies: Mapping[str, Study]) -> str:
    """Return the scoreboard in Markdown: every target first, then study by study."""
    ordered = [studies[name] for name in ORDER if name in studies]
    targets = [(study, target) for study in ordered for target in study.targets]
    missed = [target for _, target in targets if not target.met]
    lines = [
        "# Scoreboard",
        "",
        "Spans of spanlab beside published figures, written by `python -m benchmarks`. Published",
        "columns were measured by their authors on other machines; they are in",
        "`benchmarks/published/` with their sources.",
        "",
        f"{len(targets) - len(missed)} of {len(targets)} targets met.",
        "",
        *_markdown(
            ["study", "figure", "measured", "target", ""],
            [[study.name, *_target(target)] for study, target in targets],
        ),
    ]
    for study in ordered:
        lines += ["", f"## {study.title}", ""]
        lines += ["; ".join(f"{key} {value}" for key, value in study.measured.items()) + "."]
        for table in study.tables:
            lines += ["", *([f"{table.caption}:", ""] if table.caption else [])]
            lines += table.markdown
        if study.remarks:
            lines += ["", *(f"- {remark}" for remark in study.remarks)]
    return "\n".join(lines) + "\n"


def cell(value: Any) -> str:
    """Return a cell's text: four digits of a number, a dash for what was not measured."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"
    return str(value)


def _target(target: Target) -> list[str]:
    sign, verdict = "<=" if target.at_most else ">=", "met" if target.met else "**missed**"
    measured, limit = (f"{cell(x)} {target.unit}".strip() for x in (target.value, target.limit))
    return [target.what, measured, f"{sign} {limit}", verdict]


def _markdown(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    texts = [[cell(value) for value in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in [list(headers), ["---"] * len(headers), *texts]]
