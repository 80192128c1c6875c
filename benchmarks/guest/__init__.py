"""A user-mode Linux guest, where netem exists: stock Mininet's links, and our own netem spans.

Mininet shapes, delays and jitters by netem and htb, so a machine without those cannot run its
links. The guest has one virtual processor, and carries less than the machine itself.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.native import program

PROJECT = Path(__file__).parents[2]
_TIMEOUT_S = 600


@dataclass(frozen=True)
class Shaped:
    """TCP goodput over one link in the guest, kbit/s; None where it was not measured."""

    mininet_kbps: float | None = None
    netem_kbps: float | None = None


@dataclass(frozen=True)
class Jittered:
    """Standard deviation of the delay of one link in the guest, ms."""

    mininet_ms: float | None = None
    netem_ms: float | None = None


def shaped_in_guest(rates_bps: list[int], seconds: dict[int, int]) -> dict[int, Shaped]:
    """Measure the rates that Mininet accepts, up to 1 Gbit/s, each for some seconds."""
    rates_bps = [rate for rate in rates_bps if rate <= 10**9]
    jobs = [{"rate_bps": rate, "seconds": seconds[rate]} for rate in rates_bps]
    found = _measured({"shaping": jobs}).get("shaping", [])
    return {rate: Shaped(**row) for rate, row in zip(rates_bps, found, strict=False)}


def jittered_in_guest(links: list[tuple[float, float]], count: int) -> list[Jittered]:
    """Measure links of a latency and a jitter (ms), ``count`` frames each; none without a guest."""
    found = _measured({"jitter": links, "count": count}).get("jitter", [])
    return [Jittered(**row) for row in found]


def _measured(job: dict[str, Any]) -> dict[str, Any]:
    """Boot a guest for a job and return what it wrote: nothing where no guest can be had."""
    if shutil.which("linux.uml") is None:
        return {}
    with TemporaryDirectory(prefix="spanlab-benchmarks-") as name:
        folder = Path(name)
        # The guest compiles nothing: it sees the machine's files.
        job["traffic"] = str(program("traffic"))
        (folder / "job.json").write_text(json.dumps(job))
        init = Path(__file__).with_name("init.sh")
        guest = [
            *("linux.uml", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw"),
            *("mem=1024M", "con=null", "con0=fd:0,fd:1", "con1=null", "quiet", f"init={init}"),
            *(f"spanlab_python={sys.executable}", f"spanlab_project={PROJECT}"),
            f"spanlab_folder={folder}",
        ]
        null = subprocess.DEVNULL
        subprocess.run(guest, stdin=null, stdout=null, timeout=_TIMEOUT_S, check=False)
        answer = folder / "found.json"
        if not answer.exists():
            log = folder / "log"
            said = log.read_text(errors="replace")[-2000:] if log.exists() else "no log"
            raise RuntimeError(f"the guest measured nothing:\n{said}")
        found: dict[str, Any] = json.loads(answer.read_text())
        return found
