"""Runs with harms planted at random: does each leave nothing, end in time, and say what it was?

``python -m benchmarks.chaos [--runs N] [--from K] [--seed S] [--out DIR]``, as root. Trial K of a
seed is always the same. Each leaves a line in ``DIR/trials.jsonl``, and its run folder where it was
not as it should be; a series that was broken off goes on where it was. Exit code 1 if any trial
left something behind, hung, or was told wrong by its verdict.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from shutil import copytree
from typing import Any

from benchmarks.__main__ import machine
from benchmarks.trials import Judged, draw, trial

TRIALS = "trials.jsonl"


def main() -> int:
    """Make the trials that are missing and sum up all of the series."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--from", type=int, default=0, dest="first", help="number of the first")
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("runs") / "chaos")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the run under way is ended, too
    asked.out.mkdir(parents=True, exist_ok=True)
    lines = asked.out / TRIALS
    known = {(it["seed"], it["number"]): it for it in read(lines)}
    wanted = range(asked.first, asked.first + asked.runs)
    for number in wanted:
        if (asked.seed, number) in known:
            continue
        made = attempt(asked.seed, number, asked.out)
        known[asked.seed, number] = made
        with lines.open("a") as file:
            file.write(json.dumps(made) + "\n")
        print(told(made), flush=True)
    found = [known[asked.seed, number] for number in wanted]
    print("\n".join(summary(found)))
    return 0 if all(it["ok"] for it in found) else 1


def attempt(seed: int, number: int, out: Path) -> dict[str, Any]:
    """Make a trial and keep its folder where something was wrong."""
    drawn, begin_s = draw(seed, number), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="spanlab-chaos-") as name:
        judged: Judged = trial(drawn, Path(name))
        if not judged.ok:
            copytree(name, out / f"{seed}-{number}", dirs_exist_ok=True)
    lasted_s = round(time.monotonic() - begin_s, 1)
    return {"seed": seed, **asdict(drawn), **asdict(judged), "ok": judged.ok, "lasted_s": lasted_s}


def told(made: dict[str, Any]) -> str:
    """Say what came of a trial, in a line."""
    wrong = [*made["leaks"], *made["faults"], *(["it hung"] if made["hung"] else [])]
    said = "; ".join(wrong) or "as it should be"
    harm = made["harm"] or "nothing"
    return (
        f"{made['number']:>4}  {harm} while {made['stage']}  ->  {made['status']}, "
        f"{made['verdict']}, {made['took_s']:.1f} s  {said}"
    )


def summary(found: list[dict[str, Any]]) -> list[str]:
    """Count what matters, and what was tried."""
    planted = Counter(it["harm"] or "nothing" for it in found)
    planted.update(
        {"(came too late, or found nobody)": sum(_missed(it) for it in found if it["harm"])}
    )
    failing = sorted(it["took_s"] for it in found if it["status"] != "finished")
    slowest = f"{failing[-1]:.1f} s" if failing else "none failed"
    return [
        f"{len(found)} runs on {machine()}: {sum(bool(it['leaks']) for it in found)} leaks, "
        f"{sum(it['hung'] for it in found)} hangs, {sum(bool(it['faults']) for it in found)} "
        f"mislabelled verdicts; the slowest to fail took {slowest}",
        *(f"  {count:>4}  {name}" for name, count in sorted(planted.items())),
    ]


def _missed(made: dict[str, Any]) -> bool:
    return bool(made["planted"].startswith("nothing"))


def read(lines: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a series."""
    if not lines.exists():
        return []
    text = lines.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


if __name__ == "__main__":
    sys.exit(main())
