"""Many inputs of a kind, in batches that a later call goes on from."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmarks.fuzz import edits
from benchmarks.fuzz.judging import Fault, Verdict, judge
from topologies.errors import NetworkError

BATCH = 500


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        inputs: what is drawn, as the bytes of a file.
        key: that the shipped files of this kind have at their top.
        treat: what is done with the file.
        limit_s: that it may take, in seconds of the processor.
    """

    inputs: st.SearchStrategy[bytes]
    key: str
    treat: Callable[[Path], object]
    limit_s: float = 1.0


@dataclass
class Tally:
    """What came of the inputs so far; ``faults`` holds a line on each that differs."""

    inputs: int = 0
    accepted: int = 0
    slowest_s: float = 0.0
    batches: int = 0
    faults: list[str] = field(default_factory=list)

    def take(self, verdict: Verdict) -> None:
        """Count an input that was treated well."""
        self.inputs += 1
        self.accepted += verdict.refused is None
        self.slowest_s = max(self.slowest_s, verdict.took_s)

    @property
    def said(self) -> str:
        """Return the verdict in a line."""
        return (
            f"{self.inputs} inputs: {self.accepted} accepted, "
            f"{self.inputs - self.accepted - len(self.faults)} refused where they are wrong, "
            f"{len(self.faults)} faults; the slowest took {self.slowest_s:.2f} s"
        )


def validate(file: Path) -> None:
    """Do what `spanlab validate` does, printing all it has."""
    from experiments.cli import validate as command

    command(file, True)


def sweep(file: Path) -> None:
    """Do what `spanlab sweep` does before the first run."""
    from experiments.sweep.points import check_all, expand
    from experiments.sweep.spec import load_sweep

    spec, scenario = load_sweep(file)
    points = expand(spec, scenario, str(file))
    check_all(points[:20], str(file), lambda _: None)


def plan(file: Path) -> None:
    """Do what `spanlab plan` does, but for writing its page."""
    from experiments.autoscale import settled
    from experiments.carrying import known
    from experiments.planner.page import plan_page
    from experiments.planner.plan import plan as make_plan
    from experiments.scenario import load_scenario
    from topologies.files import FileError

    try:
        scenario, _ = settled(load_scenario(file), known())
        answer = make_plan(scenario, None, None)
    except FileError:
        raise
    except NetworkError as error:
        raise FileError(f"{file}: {error}") from None
    json.dumps(answer.to_json())
    plan_page(scenario, answer)


KINDS = {
    "scenarios": Kind(edits.edited().map(edits.as_text), "network", validate),
    "texts": Kind(edits.bytewise(), "network", validate),
    "sweeps": Kind(edits.edited_sweep().map(edits.as_text), "vary", sweep),
    "plans": Kind(edits.edited(key="plan").map(edits.as_text), "plan", plan, limit_s=10.0),
}


def warm(kind: Kind, file: Path) -> None:
    """Treat every shipped file once, so that what is imported when needed is there."""
    for raw in edits.texts(kind.key):
        file.write_bytes(raw)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(NetworkError):
            kind.treat(file)


def batch(
    kind: Kind,
    number: int,
    count: int,
    tally: Tally,
    kept: Path | None = None,
    ends_s: float = math.inf,
) -> None:
    """Treat ``count`` inputs, the same whenever the number is; faults are kept as files.

    Those that come after ``ends_s`` of the monotonic clock are left out.
    """

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(kind.inputs)
    def each(raw: bytes) -> None:
        if time.monotonic() > ends_s:
            return
        file.write_bytes(raw)
        try:
            tally.take(judge(file, kind.treat, kind.limit_s))
        except Fault as fault:
            tally.inputs += 1
            _note(tally, str(fault), raw, kept)

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lab.yaml"
        if not tally.inputs:
            warm(kind, file)
        each()
    tally.batches += 1


def _note(tally: Tally, told: str, raw: bytes, kept: Path | None) -> None:
    frames = re.findall(
        r'File ".*?/((?:experiments|topologies|controller|workloads)/.*?)"(.*)', told
    )
    last = told.strip().splitlines()[-1][:200]
    line = f"{frames[-1][0]}{frames[-1][1]}: {last}" if frames else last
    alike = re.sub(r"[0-9]+(?! in)", "N", line)
    if alike in {re.sub(r"[0-9]+(?! in)", "N", it) for it in tally.faults}:
        return
    tally.faults.append(line)
    if kept:
        name = hashlib.sha256(alike.encode()).hexdigest()[:8]
        (kept / f"{name}.yaml").write_bytes(raw)
        (kept / f"{name}.txt").write_text(told)


def campaign(name: str, count: int, minutes: float, out: Path) -> Tally:
    """Go on with a kind's inputs until there are ``count``, or time is up."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "tally.json"
    tally = Tally(**json.loads(state.read_text())) if state.exists() else Tally()
    if not tally.batches:
        tally = Tally()
    ends_s = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as warming:
        warm(KINDS[name], Path(warming) / "lab.yaml")
    while tally.inputs < count and time.monotonic() < ends_s:
        batch(KINDS[name], tally.batches, min(BATCH, count - tally.inputs), tally, folder, ends_s)
        state.write_text(json.dumps(asdict(tally), indent=1))
    return tally
