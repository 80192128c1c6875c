"""Limits and what ran into them, read from the files of either version of control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from topologies.emulation.containers.cgroup import Usage, remove, usage

VERSION_1 = {
    "memory/box/memory.limit_in_bytes": "512000000\n",
    "memory/box/memory.max_usage_in_bytes": "400000000\n",
    "memory/box/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "cpu/box/cpu.cfs_quota_us": "50000\n",
    "cpu/box/cpu.cfs_period_us": "100000\n",
    "cpu/box/cpu.stat": "nr_periods 9\nnr_throttled 3\nthrottled_time 1500000000\n",
}
VERSION_2 = {
    "box/memory.max": "512000000\n",
    "box/memory.peak": "400000000\n",
    "box/memory.events": "low 0\nhigh 0\nmax 7\noom 2\noom_kill 2\noom_group_kill 0\n",
    "box/cpu.max": "50000 100000\n",
    "box/cpu.stat": "usage_usec 5\nnr_throttled 3\nthrottled_usec 1500000\n",
}
LINES = {1: "4:cpu,cpuacct:/box\n3:memory:/box\n0::/\n", 2: "0::/box\n"}


def fill(folder: Path, version: int, **changes: str) -> tuple[Path, Path]:
    """Write a process's control groups; return their root and a /proc."""
    root, proc = folder / "cgroup", folder / "proc"
    for name, text in (VERSION_1 if version == 1 else VERSION_2).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(changes.get(path.name.replace(".", "_"), text))
    (proc / "7").mkdir(parents=True)
    (proc / "7" / "cgroup").write_text(LINES[version])
    return root, proc


@pytest.mark.parametrize("version", [1, 2])
def test_both_versions_tell_the_same(tmp_path: Path, version: int) -> None:
    root, proc = fill(tmp_path, version)
    assert usage(7, root, proc) == Usage(512_000_000, 0.5, 400_000_000, 1.5, 2)


def test_no_limit_is_none(tmp_path: Path) -> None:
    root, proc = fill(
        tmp_path / "1", 1, memory_limit_in_bytes="9223372036854771712", cpu_cfs_quota_us="-1"
    )
    found = usage(7, root, proc)
    assert (found.memory_limit_bytes, found.cpus) == (None, None)
    root, proc = fill(tmp_path / "2", 2, memory_max="max\n", cpu_max="max 100000\n")
    found = usage(7, root, proc)
    assert (found.memory_limit_bytes, found.cpus) == (None, None)


def test_a_process_that_is_gone_is_an_error(tmp_path: Path) -> None:
    root, proc = fill(tmp_path, 2)
    with pytest.raises(OSError, match="8"):
        usage(8, root, proc)


def test_groups_of_a_run_are_removed_with_what_is_inside_and_no_others(tmp_path: Path) -> None:
    for place in ("memory/mine/a/b", "mine/c", "memory/others/a", "minerals"):
        (tmp_path / place).mkdir(parents=True)
    remove("mine", tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {"memory", "memory/others", "memory/others/a", "minerals"}
