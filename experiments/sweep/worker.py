"""What a worker of a cluster does: emulate a point, and send back its run folder."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from experiments import durable
from experiments.errors import RunFailed
from experiments.launching import last_words
from experiments.sweep.ended import MAX_ERROR, Ended
from experiments.sweep.store import KEPT, prune
from topologies.interpreter import PYTHON

MAX_SENT = 64 << 20
"""Bytes of a run folder that are sent back; beyond that, what can be done without stays away."""
CHILD = [*PYTHON, "-m", "experiments.sweep.child"]
ATTEMPTS = 2
"""Of a point whose process dies; a worker that dies itself is the scheduler's to replace."""

_child: subprocess.Popen[bytes] | None = None
_one_at_a_time = threading.Lock()


class Unfit(RunFailed):
    """A worker whose machine cannot emulate anything: no other point would fare better there."""


def run_point(request: dict[str, Any]) -> tuple[str, dict[str, bytes]]:
    """Emulate a point; return how it ended, as JSON, and the files of its run folder by path.

    ``request`` holds ``index``, ``scenario``, ``source``, ``name`` of the folder, and ``keep``.
    Raises Unfit.
    """
    from distributed import get_worker

    with _one_at_a_time:
        for attempt in range(ATTEMPTS):
            with tempfile.TemporaryDirectory(dir=get_worker().local_directory) as scratch:
                folder = Path(scratch) / request["name"]
                answer = _ask({**request, "folder": str(folder)}, Path(scratch) / "child.log")
                if "cannot" in answer:
                    raise Unfit(f"{platform.node()}: {answer['cannot']}")
                if "died" in answer and attempt + 1 < ATTEMPTS:
                    continue
                ended = _ended(request, answer)
                if request["keep"] == "results" and folder.is_dir():
                    prune(folder, logs=ended.status != "finished")
                return ended.to_json(), packed(folder)
        raise AssertionError("the last attempt returns")


def packed(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by their path in it: those that matter most, up to a bound."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    found.sort(key=lambda path: (path.name not in KEPT, path.stat().st_size))
    files: dict[str, bytes] = {}
    left = MAX_SENT
    for path in found:
        if path.stat().st_size <= left:
            content = path.read_bytes()
            files[str(path.relative_to(folder))] = content
            left -= len(content)
    return files


def unpack(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files of a run folder, which has its name only once all of them are written."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    for name, content in files.items():
        path = part / name
        if not path.resolve().is_relative_to(part.resolve()):
            raise RunFailed(f"a worker sent a file that does not belong to its run: {name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.write(path, content)
    part.rename(folder)
    durable.settle(folder.parent)


def _ended(request: dict[str, Any], answer: dict[str, Any]) -> Ended:
    """Return how a point ended, of which its process told or which that process did not survive."""
    if "ended" in answer:
        return Ended.from_json(answer["ended"])
    return Ended(
        index=request["index"],
        folder=request["name"],
        status="failed",
        seed=request["scenario"].get("seed", 0),
        error=answer["died"][:MAX_ERROR],
        machine=platform.node(),
    )


def _ask(request: dict[str, Any], log: Path) -> dict[str, Any]:
    """Let the child answer a request, or say with what last words it died."""
    global _child
    if _child is None or _child.poll() is not None:
        with log.open("wb") as stderr:
            _child = subprocess.Popen(
                CHILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr
            )
    assert _child.stdin is not None and _child.stdout is not None, "opened as pipes"
    try:
        _child.stdin.write(json.dumps(request).encode() + b"\n")
        _child.stdin.flush()
        line = _child.stdout.readline()
    except BrokenPipeError:
        line = b""
    if line:
        answer: dict[str, Any] = json.loads(line)
        return answer
    code = _child.wait()
    _child = None
    return {"died": f"the process of the point ended with code {code}{last_words(log, None)}"}
