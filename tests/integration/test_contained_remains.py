"""What a killed run leaves of its containers goes, and nobody else's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.contained import groups_left, in_containers, inside
from tests.integration.runs import ENVIRONMENT, Run, spanlab
from topologies.emulation.containers.container import LABEL
from topologies.emulation.containers.engine import open_engine
from topologies.emulation.ownership import owned_folder

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_ovs,
    pytest.mark.needs_docker,
    pytest.mark.slow,
    pytest.mark.timeout(900),  # the first run makes the image, from packages if need be
]

Start = Callable[..., Run]


def test_what_a_killed_run_leaves_of_its_containers_is_cleaned(start: Start) -> None:
    bystander = start(**in_containers())
    bystander.wait_step(5)
    run = start(**in_containers())
    run.wait_step(5)
    others = inside(bystander)
    assert inside(run)
    run.process.kill()
    run.process.wait()
    done = spanlab("clean", "--json")
    assert done.returncode == 0, done.stderr
    cleaned = json.loads(done.stdout)["runs"]  # and what other tests have killed meanwhile
    assert run.name in cleaned
    assert bystander.name not in cleaned
    run.end()
    assert run.left_behind() == []
    assert groups_left(run) == []
    assert inside(bystander) == others
    reached = max(step["step"] for step in bystander.steps)
    bystander.wait_step(reached + 2)


@pytest.mark.thorough
def test_on_an_engine_that_runs_already_only_the_dead_runs_containers_go(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        owned_folder(f"test-{os.getpid()}") as folder,
        open_engine(folder, tmp_path / "engine.log") as engine,
    ):
        monkeypatch.setitem(ENVIRONMENT, "DOCKER_HOST", engine.address)
        run = start(**in_containers())
        run.wait_step(5)
        up = next(event for event in run.events if event["kind"] == "containers up")
        assert up["engine"]["own"] is False
        stranger = engine.ask("create", "--label", f"{LABEL}=somebody", up["image"], "true")
        run.process.kill()
        run.process.wait()
        assert len(engine.ask("ps", "--all", "--quiet").split()) == 3
        done = spanlab("clean", "--json")
        assert run.name in json.loads(done.stdout)["runs"]
        run.end()
        assert run.left_behind() == []
        assert engine.ask("ps", "--all", "--quiet", "--no-trunc") == stranger
        engine.ask("rm", stranger)
