"""Sweeps as they are run: killed, resumed, on a full disk, and on workers that are killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from experiments.limits import DISK_BYTES
from tests.beside.dask_cluster import Cluster
from tests.fakes.scenarios import tiny
from tests.integration.runs import ENVIRONMENT, children_of, eventually, lines_of, spanlab

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_ovs,
    pytest.mark.slow,
]

DELAY, LOSS = "network.spans.*.delay", "network.spans.*.loss"
SHORT = tiny(
    timeline=None,
    workload__compute="10 ms",
    workload__gradients="1 MB",
    workload__steps=20,
    workload__reference_steps=8,
)


def write_sweep(folder: Path, **changes: Any) -> Path:
    path = folder / "sweep.yaml"
    vary = {DELAY: ["1 ms", "5 ms", "20 ms"]}
    path.write_text(json.dumps({"name": "short", "scenario": SHORT, "vary": vary, **changes}))
    return path


class Sweep:
    """``python -m experiments sweep FILE --out DIR`` in a session of its own."""

    def __init__(self, source: Path, *options: str) -> None:
        self.out = source.parent / "out"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "experiments", "sweep", str(source)),
                *("--out", str(self.out), "--json", *options),
            ],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def ledger(self) -> list[dict[str, Any]]:
        return lines_of(self.out / "ended.jsonl")

    def wait(self, reached: Callable[[], Any], what: str, timeout_s: float = 120.0) -> Any:
        def reached_or_over() -> Any:
            if found := reached():
                return found
            assert self.process.poll() is None, f"{what}: it ended\n{self.process.communicate()}"
            return None

        return eventually(reached_or_over, timeout_s, what)

    def end(self, timeout_s: float = 300.0) -> tuple[str, str]:
        return self.process.communicate(timeout=timeout_s)


@pytest.fixture
def start() -> Iterator[Callable[..., Sweep]]:
    started: list[Sweep] = []

    def start(*arguments: Any) -> Sweep:
        started.append(Sweep(*arguments))
        return started[-1]

    yield start
    for sweep in started:
        if sweep.process.poll() is None:
            sweep.process.kill()
            sweep.process.communicate()


def asked(out: Path, question: str) -> list[dict[str, Any]]:
    done = spanlab("query", question, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_a_sweep_that_was_killed_goes_on_where_it_stopped(
    tmp_path: Path, start: Callable[..., Sweep]
) -> None:
    source = write_sweep(tmp_path)
    killed = start(source)
    torn = killed.out / "points" / "00001-0" / "steps.jsonl"
    killed.wait(torn.exists, "the second point trains")
    killed.process.kill()
    killed.end()
    assert [run["index"] for run in killed.ledger] == [0]
    first = (killed.out / "points" / "00000-0" / "result.json").stat().st_mtime_ns

    interrupted = start(source)
    torn = interrupted.out / "points" / "00002-0" / "steps.jsonl"
    interrupted.wait(torn.exists, "the third point trains")
    interrupted.process.send_signal(signal.SIGINT)
    _, said = interrupted.end()
    assert (interrupted.process.returncode, said.strip()[-11:]) == (1, "interrupted")
    assert [run["index"] for run in interrupted.ledger] == [0, 1]

    last = start(source)
    told, said = last.end()
    assert last.process.returncode == 0, said
    assert json.loads(told)["finished"] == 3
    assert [run["index"] for run in last.ledger] == [0, 1, 2]
    assert (last.out / "points" / "00000-0" / "result.json").stat().st_mtime_ns == first
    rows = asked(last.out, "select delay_ns, coherence from points order by delay_ns")
    assert [row["delay_ns"] for row in rows] == [1_000_000, 5_000_000, 20_000_000]
    assert rows[0]["coherence"] > rows[2]["coherence"] > 0
    assert asked(last.out, "select count(distinct step) n from steps") == [{"n": 20}]


def test_a_point_that_fails_stops_no_other(tmp_path: Path) -> None:
    outage = {"at": "step 12", "fail": "west-east", "for": "30 s"}
    workload = {**SHORT["workload"], "timeout": "2 s"}
    cut = {**SHORT, "workload": workload, "timeline": [outage]}
    source = write_sweep(tmp_path, scenario=cut, vary={"timeline.0.for": ["30 s", "50 ms"]})
    done = spanlab("sweep", source, "--out", tmp_path / "out", "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert (told["finished"], [run["point"] for run in told["failed"]]) == (1, [0])
    assert "rank" in told["failed"][0]["error"]
    assert list((tmp_path / "out" / "points" / "00000-0" / "logs").iterdir())


def test_a_full_disk_ends_a_sweep_and_room_lets_it_go_on(
    tmp_path: Path, start: Callable[..., Sweep]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    size = f"size={DISK_BYTES + (4 << 20)}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", disk], check=True)
    try:
        sweep = start(write_sweep(disk, vary={DELAY: ["1 ms", "5 ms"]}))
        sweep.wait((sweep.out / "points" / "00000-0" / "steps.jsonl").exists, "a point trains")
        with suppress(OSError), (disk / "filling").open("wb") as filling:
            while True:
                filling.write(bytes(1 << 20))
        told, said = sweep.end()
        assert (sweep.process.returncode, told) == (1, ""), said
        assert re.search("disk of .* is full|No space left on device", said), said
        assert "Traceback" not in said
        ended = sweep.ledger
        (disk / "filling").unlink()
        subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
        done = spanlab("sweep", disk / "sweep.yaml", "--out", sweep.out, "--json")
        assert done.returncode == 0, done.stderr
        assert sweep.ledger[: len(ended)] == ended
        assert json.loads(done.stdout)["finished"] == 2
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Cluster(folder)
    yield cluster
    cluster.close()


def test_nothing_is_lost_with_a_worker_that_is_killed(
    tmp_path: Path, cluster: Cluster, start: Callable[..., Sweep]
) -> None:
    source = write_sweep(tmp_path, vary={DELAY: ["1 ms", "2 ms", "5 ms", "10 ms"]})
    victim, survivor = cluster.worker("victim"), cluster.worker("survivor")
    sweep = start(source, "--cluster", cluster.address)

    def emulates() -> bool:
        """Say whether the victim's child holds the machine: it has children of its own."""
        threads = Path(f"/proc/{victim.pid}/task").iterdir()  # one of them started it
        children = [int(it) for each in threads for it in (each / "children").read_text().split()]
        return any(len(children_of(child)) > 2 for child in children)

    sweep.wait(lambda: len(sweep.ledger) >= 1 and emulates(), "the victim emulates")
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    told, said = sweep.end()
    assert sweep.process.returncode == 0, said
    assert json.loads(told)["finished"] == 4
    assert sorted(run["index"] for run in sweep.ledger) == [0, 1, 2, 3]
    assert survivor.poll() is None
    rows = asked(sweep.out, "select count(*) n, count(distinct point) p from points")
    assert rows == [{"n": 4, "p": 4}]
    manifests = [json.loads(it.read_text()) for it in sweep.out.glob("points/*/manifest.json")]
    assert len({manifest["run"] for manifest in manifests}) == 4


def test_a_scheduler_that_is_not_there_is_said(tmp_path: Path) -> None:
    source = write_sweep(tmp_path)
    begin = time.monotonic()
    done = spanlab("sweep", source, "--out", tmp_path / "out", "--cluster", "tcp://127.0.0.1:9")
    assert done.returncode == 1
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - begin < 60
