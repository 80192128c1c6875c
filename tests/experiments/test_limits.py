"""What a machine may run out of is asked before a run, and told in one line with what to do."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import limits
from experiments.errors import RunFailed
from tests.fakes.scenarios import scenario_of, tiny
from topologies.emulation.errors import MachineError
from topologies.graph import build_graph


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "is full: free some"),
        (errno.EDQUOT, "is full: free some"),
        (errno.EMFILE, "ran out of file descriptors, of which it may have"),
        (errno.ENFILE, "sysctl -w fs.file-max"),
        (errno.ENOMEM, "ran out of memory"),
        (errno.EROFS, "cannot be written"),
    ],
)
def test_each_is_told_in_one_line(tmp_path: Path, number: int, words: str) -> None:
    said = limits.sentence(OSError(number, os.strerror(number)), tmp_path)
    assert said is not None
    assert words in said
    assert "\n" not in said


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    error = OSError(errno.EPERM, "not permitted")
    assert limits.sentence(error, tmp_path) is None
    with pytest.raises(PermissionError, match="not permitted"), limits.telling(tmp_path):
        raise error
    with pytest.raises(RunFailed, match=r"^a rank died$"), limits.telling(tmp_path):
        raise RunFailed("a rank died")


def test_a_full_disk_has_no_room_for_a_result(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="is full"):
        limits.told(OSError(errno.ENOSPC, "No space left on device"), tmp_path)


def test_what_ran_out_is_told_in_place_of_what_followed(tmp_path: Path) -> None:
    try:
        try:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        except OSError:
            raise RunFailed("no answer from the controller") from None
    except RunFailed as error:
        assert "the machine ran out of memory" in limits.told(error, tmp_path)
    assert limits.told(RunFailed("a rank died"), tmp_path) == "a rank died"


def test_a_run_that_ran_out_of_descriptors_gets_some_to_end(tmp_path: Path) -> None:
    script = """
import errno, resource
from pathlib import Path
from experiments import limits
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (30, hard))
print(limits.told(OSError(errno.EMFILE, "Too many open files"), Path(".")))
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert "of which it may have 30" in done.stdout


def test_a_disk_without_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits.check_disk(tmp_path / "runs" / "new")
    monkeypatch.setattr(limits, "DISK_BYTES", 1 << 60)
    with pytest.raises(MachineError, match=rf"the disk of {tmp_path} has \d+ MB left, and a run"):
        limits.check_disk(tmp_path / "runs" / "new")


def test_a_low_limit_is_raised_or_refused() -> None:
    script = """
import resource, sys
from experiments import limits
from topologies.emulation.errors import MachineError
from tests.fakes.scenarios import scenario_of, tiny
from topologies.graph import build_graph
soft, hard = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
try:
    limits.allow_descriptors(build_graph(scenario_of(tiny()).network))
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
except MachineError as error:
    print(error)
"""

    def said(soft: int, hard: int) -> str:
        command = [sys.executable, "-c", script, str(soft), str(hard)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert 200 < int(said(100, 1000)) < 1000
    assert int(said(900, 1000)) == 900
    assert "raise the limit with ulimit -n" in said(100, 150)


def test_a_run_of_the_usual_limit_is_never_refused() -> None:
    graph = build_graph(scenario_of(tiny()).network)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits.allow_descriptors(graph)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == before[1]
