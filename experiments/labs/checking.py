"""Whether finished runs show what a lab asks for: a criterion a line. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from experiments.labs.evidence import Evidence
from experiments.labs.lab import Effect, Lab, Part, Question, Runs
from experiments.labs.matching import Match, match

SCHEMA = 1


@dataclass(frozen=True)
class Finding:
    """One criterion.

    Attributes:
        criterion: what is asked.
        found: what there is, and in which file.
        next: what to type or do where it did not pass.
    """

    criterion: str
    passed: bool
    found: str
    next: str = ""


@dataclass(frozen=True)
class Report:
    """All criteria of a lab, and which run played which part."""

    lab: Lab
    findings: Sequence[Finding]
    runs: Runs
    notes: Sequence[str]

    @property
    def passed(self) -> bool:
        """Return whether nothing is left to do."""
        return all(finding.passed for finding in self.findings)

    @property
    def score(self) -> int:
        """Return how many criteria passed."""
        return sum(finding.passed for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return this as the contract for scripts has it."""
        return {
            "schema": SCHEMA,
            "lab": self.lab.number,
            "title": self.lab.title,
            "passed": self.passed,
            "score": self.score,
            "of": len(self.findings),
            "criteria": [asdict(finding) for finding in self.findings],
            "runs": {part: str(run.folder) for part, run in self.runs.items()},
            "notes": list(self.notes),
        }


def check(lab: Lab, evidence: Evidence) -> Report:
    """Hold a student's runs and numbers against all criteria of a lab."""
    matches = {
        part.name: match(part, lab, evidence.runs, unfaithful=evidence.unfaithful)
        for part in lab.parts
    }
    runs = {name: it.run for name, it in matches.items() if it.run and not it.fault}
    findings = [_of_part(lab, part, matches[part.name], evidence) for part in lab.parts]
    findings += [_of_effect(effect, runs) for effect in lab.effects]
    findings += [_of_question(question, runs, evidence) for question in lab.questions]
    return Report(lab, findings, runs, evidence.aside)


def _of_part(lab: Lab, part: Part, found: Match, evidence: Evidence) -> Finding:
    says = f"{part.of}.yaml was run as it is"
    if part.choice:
        says = f"{part.name}.yaml was run, with a choice of your own"
    elif part.edits:
        says = f"{part.name}.yaml was run, with {_lines(part.edits)}"
    run = found.run
    if run and not found.fault:
        return Finding(says, True, f"{run.folder}: {run.verdict}, {len(run.steps)} steps")
    where = f"{run.folder}: " if run else ""
    advice = _how(lab, part, evidence)
    if found.again:
        file = evidence.answers.path.parent / f"{part.name}.yaml"
        advice = f"close what else uses this machine, then once more ./spanlab run {file}"
    return Finding(says, False, where + found.fault, advice)


def _lines(edits: Mapping[str, Any]) -> str:
    return " and ".join(f"{path}: {_text(it)}" for path, it in edits.items())


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_text(it)}" for key, it in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _how(lab: Lab, part: Part, evidence: Evidence) -> str:
    """Say what to type for a run of a part."""
    folder = evidence.answers.path.parent
    file, shipped = folder / f"{part.name}.yaml", folder / f"{part.of}.yaml"
    steps = [] if shipped.exists() else [f"./spanlab lab start {lab.number} {folder}"]
    if file != shipped:
        steps.append(f"cp {shipped} {file}")
    changes = [_lines(part.edits)] if part.edits else []
    if part.choice:
        changes.append(f"{part.choice.path}: {part.choice.says}")
    if changes:
        steps.append(f"in {file} set {' and '.join(changes)}")
    return "; ".join([*steps, f"./spanlab run {file}"])


def _of_effect(effect: Effect, runs: Runs) -> Finding:
    if waits := _missing(effect.parts, runs):
        return Finding(effect.says, False, waits, "first the runs above")
    shown, figures = effect.shown(runs)
    seen = f"{figures} ({_folders(effect.parts, runs)})"
    return Finding(effect.says, shown, seen, "" if shown else effect.advice)


def _of_question(question: Question, runs: Runs, evidence: Evidence) -> Finding:
    unit = f" {question.unit}" if question.unit else ""
    says = f"{question.key}: {question.about}, predicted within {100 * question.tolerance:g} %"
    file, number = evidence.answers.path, evidence.answers.numbers.get(question.key)
    if number is None:
        return Finding(
            says, False, f"{file}: no number", f"write {question.key}: NUMBER into {file}"
        )
    said = f"{file} says {number:.6g}{unit}"
    if waits := _missing(question.parts, runs):
        return Finding(says, False, f"{said}; {waits}", "first the runs above")
    measured = question.measured(runs)
    seen = f"{said}, measured {measured:.4g}{unit} ({_folders(question.parts, runs)})"
    near = max(number, measured) <= (1 + question.tolerance) * min(number, measured)
    advice = f"find the term that is off, with the formula of the lab's page; correct {file}"
    return Finding(says, near, seen, "" if near else advice)


def _missing(parts: Sequence[str], runs: Runs) -> str:
    lacking = [f"{name}.yaml" for name in parts if name not in runs]
    return f"needs the run of {' and '.join(lacking)}" if lacking else ""


def _folders(parts: Sequence[str], runs: Runs) -> str:
    return ", ".join(str(runs[name].folder) for name in parts)
