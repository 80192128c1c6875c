"""The benchmarks: ``python -m benchmarks [STUDY|all] [--quick] [--out DIR]``.

Needs root and gcc. Writes ``scoreboard.md`` and ``scoreboard.json``; studies that are not run keep
what an earlier run left in them. Everything happens in network namespaces of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks.scoreboard import ORDER, Study, page

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Run the studies asked for and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("study", nargs="?", choices=[*ORDER, "all"], default="all")
    parser.add_argument("--quick", action="store_true", help="two minutes for all, and rougher")
    parser.add_argument("--out", type=Path, help="folder; docs, or runs/scoreboard when quick")
    options = parser.parse_args()
    out: Path = options.out or ROOT / ("runs/scoreboard" if options.quick else "docs")
    out.mkdir(parents=True, exist_ok=True)
    record = out / "scoreboard.json"
    known = json.loads(record.read_text()) if record.exists() else {}
    studies = {name: Study.from_json(data) for name, data in known.items()}
    for name in ORDER if options.study == "all" else (options.study,):
        print(f"{name} ...", file=sys.stderr, flush=True)
        begin, before = time.monotonic(), os.getloadavg()[0]
        study: Study = import_module(f"benchmarks.{name}").run(options.quick)
        study.measured = {
            "Measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "on": machine(),
            "by": f"`python -m benchmarks {name}{' --quick' if options.quick else ''}`",
            "taking": f"{time.monotonic() - begin:.0f} s",
            "load average before and after": f"{before:.2f} and {os.getloadavg()[0]:.2f}",
        }
        studies[name] = study
        lines = (f'"{name}": {json.dumps(study.to_json())}' for name, study in studies.items())
        record.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        (out / "scoreboard.md").write_text(page(studies))
        for target in study.targets:
            verdict = "met" if target.met else "MISSED"
            print(f"  {verdict}  {target.what}: {target.value:.4g} {target.unit}", file=sys.stderr)


def machine() -> str:
    """Describe the machine in a few words."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")
    processors = len(os.sched_getaffinity(0))
    return f"{processors} x {model}, Linux {platform.release()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
