"""Bytes that atheris makes up, guided by what code each input reaches.

Atheris is not among the project's dependencies, as it is made for few versions of Python:
``pip install --target DIR atheris``, and ``PYTHONPATH=DIR``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.fuzz import edits
from benchmarks.fuzz.campaign import KINDS, Tally, validate, warm
from benchmarks.fuzz.judging import Fault, judge

_WORDS = ("&a", "*a", "!!", "<<", "---", "...", "step ", " ms", " Gbit/s", "1/10", ".inf", "\\e")


def guided(count: int, minutes: float, out: Path) -> int:
    """Validate up to ``count`` inputs and say what came of them; returns how many were faults.

    Raises SystemExit where atheris is not installed. What was learnt is kept under ``out``.
    """
    try:
        import atheris
    except ImportError:
        sys.exit("this needs atheris: pip install --target DIR atheris, and PYTHONPATH=DIR")
    with atheris.instrument_imports(include=["topologies", "experiments", "controller"]):
        import experiments.cli
        import experiments.twin  # noqa: F401
    corpus = out / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for raw in edits.texts("network"):
        (corpus / hashlib.sha256(raw).hexdigest()[:16]).write_bytes(raw)
    words = out / "words"
    words.write_text("".join(f'"{word}"\n'.replace("\\", "\\\\") for word in _WORDS))
    tally, ends_s = Tally(), time.monotonic() + 60 * minutes
    folder = Path(tempfile.mkdtemp())
    file = folder / "lab.yaml"
    warm(KINDS["texts"], file)

    def done() -> None:
        print(f"bytes: {tally.said}")
        for fault in tally.faults:
            print(f"  {fault}")
        file.unlink(missing_ok=True)
        folder.rmdir()
        sys.stdout.flush()
        os._exit(bool(tally.faults))  # libFuzzer does not return

    def one(raw: bytes) -> None:
        if tally.inputs >= count or time.monotonic() > ends_s:
            done()
        file.write_bytes(raw)
        try:
            # Counting what is reached makes everything several times slower.
            tally.take(judge(file, validate, limit_s=5.0))
        except Fault as fault:
            tally.inputs += 1
            tally.faults.append(str(fault).strip().splitlines()[-1][:200])
            with contextlib.suppress(OSError):
                (out / hashlib.sha256(raw).hexdigest()[:8]).write_bytes(raw)

    options = [
        f"-dict={words}",
        "-max_len=8192",
        "-timeout=30",
        "-print_final_stats=0",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()
    return len(tally.faults)
