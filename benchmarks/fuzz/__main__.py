"""``python -m benchmarks.fuzz KIND [--count N] [--minutes M] [--out DIR]``.

Kinds: scenarios (drawn from the schema), texts (shipped files with bytes changed), sweeps, plans,
and bytes (atheris, which is guided by what code each input reaches; it is installed by hand).
A later call goes on where an earlier one stopped. Exits with 1 where there is a fault.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.fuzz.campaign import KINDS, campaign


def main() -> None:
    """Treat inputs, and say what came of them in a line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz")
    parser.add_argument("kind", choices=[*KINDS, "bytes"])
    parser.add_argument("--count", type=int, default=100_000, help="inputs, those before counted")
    parser.add_argument("--minutes", type=float, default=10, help="after which it stops")
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"), help="where it goes on from")
    options = parser.parse_args()
    if options.kind == "bytes":
        from benchmarks.fuzz.bytewise import guided

        guided(options.count, options.minutes, options.out / "bytes")
        return
    tally = campaign(options.kind, options.count, options.minutes, options.out)
    print(f"{options.kind}: {tally.said}")
    for fault in tally.faults:
        print(f"  {fault}")
    sys.exit(bool(tally.faults))


if __name__ == "__main__":
    main()
