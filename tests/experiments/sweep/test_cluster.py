"""Points on real Dask workers: one is killed, all are, the scheduler is; nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.errors import RunFailed
from experiments.sweep import cluster as module
from experiments.sweep.cluster import OnCluster
from experiments.sweep.conduct import Swept, sweep
from experiments.sweep.ended import Ended
from experiments.sweep.points import Point
from experiments.sweep.worker import packed, unpack
from tests.beside.dask_cluster import Cluster
from tests.fakes.sweeps import LOSS, Made, Nobody, made_on_a_worker, write_sweep

pytestmark = pytest.mark.slow


class Meddler(Nobody):
    """Does something to the cluster when so many runs have ended."""

    def __init__(self, after: int, do: Callable[[], Any]) -> None:
        super().__init__()
        self.after, self.do = after, do

    def ended(self, point: Point, run: Ended) -> None:
        super().ended(point, run)
        if len(self.told) == self.after:
            self.do()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(module, "run_point", made_on_a_worker)
    monkeypatch.setattr(module, "LOOK_S", 0.5)
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Cluster(folder)
    yield cluster
    cluster.close()


def conduct(folder: Path, cluster: Cluster, watcher: Nobody) -> Swept:
    source = write_sweep(folder, vary={LOSS: {"from": 0, "to": 0.01, "count": 12}})
    return sweep(source, OnCluster(cluster.address, source, watcher), watcher, folder / "out")


def test_a_worker_that_is_killed_and_one_that_comes(tmp_path: Path, cluster: Cluster) -> None:
    victim = cluster.worker("victim")

    def replace() -> None:
        victim.kill()
        victim.wait()
        cluster.worker("other")

    watcher = Meddler(4, replace)
    swept = conduct(tmp_path, cluster, watcher)
    assert sorted(watcher.told) == list(range(12)), "each ended once"
    assert swept.failed == []
    assert len(list((tmp_path / "out" / "points").glob("*/result.json"))) == 12


def test_a_scheduler_that_dies_is_said_and_another_goes_on(
    tmp_path: Path, cluster: Cluster
) -> None:
    cluster.worker("first")

    def kill() -> None:
        cluster.scheduler.kill()
        cluster.scheduler.wait()

    with pytest.raises(RunFailed, match="the Dask scheduler is gone"):
        conduct(tmp_path, cluster, Meddler(3, kill))
    source, executor = tmp_path / "sweep.yaml", Made()
    assert len(sweep(source, executor, Nobody(), tmp_path / "out").ended) == 12
    assert 0 < len(executor.ran) <= 9


def test_a_run_folder_is_sent_whole_up_to_a_bound_and_goes_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there"
    (there / "logs").mkdir(parents=True)
    for name, size in (("result.json", 40), ("report.html", 70), ("logs/rank-0.log", 30)):
        (there / name).write_bytes(b"x" * size)
    unpack(tmp_path / "here", packed(there))
    found = {str(it.relative_to(tmp_path / "here")) for it in (tmp_path / "here").rglob("*.*")}
    assert found == {"result.json", "report.html", "logs/rank-0.log"}
    monkeypatch.setattr("experiments.sweep.worker.MAX_SENT", 100)
    assert packed(there).keys() == {"result.json", "logs/rank-0.log"}
    with pytest.raises(RunFailed, match="does not belong"):
        unpack(tmp_path / "bad", {"../outside": b""})
    assert not (tmp_path / "outside").exists()
