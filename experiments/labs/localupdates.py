"""Lab 5: local updates against link upgrades."""

from __future__ import annotations

from experiments.labs.lab import Choice, Effect, Lab, Part, Question, Runs
from experiments.labs.measures import AGED, coherence, last_phase, result_of

LOCAL = {
    "workload.strategy": {"name": "diloco", "inner_rate": 0.01},
    "timeline": [],
}
WANTED = 0.9


def _new_line(runs: Runs) -> tuple[bool, str]:
    run = runs["upgrade"]
    before, after = coherence(run, AGED), coherence(run, last_phase(run))
    return before < 0.5 and after >= WANTED, f"coherence {before:.2f} before, {after:.2f} after"


def _seldom(runs: Runs) -> tuple[bool, str]:
    run = runs["local"]
    found, every = coherence(run, AGED), run.period
    return found >= WANTED, f"coherence {found:.2f}, a meeting every {every} steps"


def _final_loss(runs: Runs, part: str) -> float:
    run = runs[part]
    return float(result_of(run, last_phase(run))["loss"])


def _learns_less(runs: Runs) -> tuple[bool, str]:
    line, local = _final_loss(runs, "upgrade"), _final_loss(runs, "local")
    return local > line, f"loss {line:.2f} with the new line, {local:.2f} with local updates"


LAB = Lab(
    number=5,
    slug="local-updates",
    title="Local updates against link upgrades",
    minutes=35,
    parts=(
        Part("upgrade", "upgrade"),
        Part("local", "upgrade", LOCAL, Choice("workload.strategy.every", "NUMBER, your choice")),
    ),
    effects=(
        Effect(
            f"a new line takes ddp from below 0.5 to {WANTED} or more",
            ("upgrade",),
            _new_line,
            "close what else uses this machine, and run upgrade.yaml once more",
        ),
        Effect(
            f"local updates reach {WANTED} over the old span",
            ("local",),
            _seldom,
            "choose a larger every in local.yaml, and run it again",
        ),
        Effect(
            "after as many steps, local updates have learnt less",
            ("upgrade", "local"),
            _learns_less,
            "state the same steps in both files, and run them again",
        ),
    ),
    questions=(
        Question(
            "aged_coherence",
            "ddp over the old span",
            "",
            ("upgrade",),
            lambda runs: coherence(runs["upgrade"], AGED),
            tolerance=0.25,
        ),
        Question(
            "local_coherence",
            "local updates over the old span, for the every that you chose",
            "",
            ("local",),
            lambda runs: coherence(runs["local"], AGED),
            tolerance=0.1,
        ),
    ),
)
