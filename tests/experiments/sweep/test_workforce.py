"""What a cluster file becomes: jobs and logins that start workers with what points need."""

from __future__ import annotations

from pathlib import Path

import pytest
from dask_jobqueue.slurm import SLURMJob

from experiments.sweep.workforce import ClusterSpec, SshSpec, cluster_of, ssh_command
from topologies.files import FileError


def test_an_address_is_one() -> None:
    assert cluster_of("tcp://127.0.0.1:8786") == "tcp://127.0.0.1:8786"


def test_a_slurm_job_starts_a_worker_that_takes_one_point_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(
        "slurm: {jobs: 3, cpus: 4, memory: 8 GB, walltime: 90 min, partition: long, "
        "python: sudo /opt/spanlab/.venv/bin/python}"
    )
    spec = cluster_of(str(path))
    assert isinstance(spec, ClusterSpec) and spec.slurm
    options = {**spec.slurm.cluster_options(), "scheduler": "tcp://10.0.0.1:1"}
    script = SLURMJob(name="worker", **options).job_script()
    for line in ("-p long", "-n 1", "--cpus-per-task=4", "-t 01:30:00", "--exclusive"):
        assert f"#SBATCH {line}\n" in script
    *_, command = script.strip().splitlines()
    assert command.startswith("sudo /opt/spanlab/.venv/bin/python -m distributed.cli.dask_worker")
    assert "--nthreads 1" in command
    assert "--resources emulation=1" in command


def test_ssh_starts_the_launcher_and_takes_no_host_for_an_option() -> None:
    spec = SshSpec(hosts=("a", "b"), spanlab="/opt/spanlab/spanlab", options=("-p", "2222"))
    command = ssh_command(spec, "b", "tcp://10.0.0.1:1")
    assert command[-5:] == ["--", "b", "/opt/spanlab/spanlab", "worker", "tcp://10.0.0.1:1"]
    assert "-p 2222" in " ".join(command)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{}", "must hold ssh or slurm"),
        ("ssh: {hosts: [-oProxyCommand=x], spanlab: /x}", "should match pattern"),
        ("ssh: {hosts: [], spanlab: /x}", "at least 1 item"),
        ("slurm: {jbos: 3}", 'did you mean "jobs"?'),
    ],
)
def test_a_bad_cluster_file_is_refused(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    with pytest.raises(FileError) as refused:
        cluster_of(str(path))
    assert part in str(refused.value)


def test_what_is_neither_address_nor_file_is_refused() -> None:
    with pytest.raises(FileError, match="cannot be read"):
        cluster_of("localhost:8786")
