"""The command line as scripts and people meet it: exit codes, one message, JSON alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NoReturn

import pytest

from controller import policies
from controller.intent import Intent
from experiments import cli
from experiments.chances import Bounds
from experiments.errors import BAD_INPUT, FAILED, MACHINE_LACKS, NOT_FAITHFUL, RunFailed
from experiments.linkverdict import Direction, Row
from experiments.supervision import SupervisedController
from tests.fakes.runs import MACHINE
from tests.fakes.scenarios import ring, scenario_of, tiny, write
from topologies.emulation import capabilities, reaping
from topologies.emulation.errors import MachineError
from topologies.graph import build_graph
from topologies.linkstate import LinkState
from workloads import strategies, tasks

ROOT = Path(__file__).parents[2]
COMMANDS = (
    *("demo", "run", "compare", "sweep", "query", "worker", "validate", "links", "strategies"),
    *("report", "tasks", "doctor", "clean", "test", "lab"),
)


def spanlab(*arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "experiments", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_lists_every_command() -> None:
    done = spanlab("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert command in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    done = spanlab(command, "--help")
    assert done.returncode == 0
    assert done.stdout.count("\n") > 5


def test_a_valid_file_is_shown_with_its_twin(tmp_path: Path) -> None:
    path = write(tmp_path, ring())
    done = spanlab("validate", path)
    assert done.returncode == 0, done.stderr
    assert "valid" in done.stdout
    assert "5 Mbit/s" in done.stdout


def test_a_file_without_scales_is_shown_with_those_chosen(tmp_path: Path) -> None:
    path = write(tmp_path, {**ring(), "emulate": "auto"})
    done = spanlab("validate", path)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    for words in ("bytes ", "of the switches", "time ", " must ", "Kept: bandwidth"):
        assert words in said
    answer = json.loads(spanlab("validate", path, "--json").stdout)["similarity"]
    assert answer["chosen"] is True
    assert f"bytes {answer['bytes']}: " in answer["because"][0]
    assert f"time {answer['time']}: " in answer["because"][1]
    assert answer["carrying"]["goodput_bps"].keys() == {"1500", "9000"}


def test_json_is_alone_on_standard_output(tmp_path: Path) -> None:
    done = spanlab("validate", write(tmp_path, tiny()), "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert (answer["valid"], answer["name"]) == (True, "tiny")
    assert {"quantity", "real", "emulated"} == set(answer["quantities"][0])
    assert done.stderr == ""


@pytest.mark.parametrize("command", ["validate", "run", "links"])
@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"workload__stepps": 3}, ("workload.stepps", 'did you mean "steps"?')),
        (
            {"network__spans__west-east": {"route": "2000 km", "condition": "coherent-400g"}},
            ("west-east", "400G over 2000 km does not work"),
        ),
    ],
    ids=["unknown key", "physics"],
)
def test_a_bad_file_is_answered_with_one_message(
    tmp_path: Path, command: str, changes: dict[str, Any], parts: tuple[str, ...]
) -> None:
    path = write(tmp_path, tiny(**changes))
    done = spanlab(command, path, folder=tmp_path)
    assert done.returncode == BAD_INPUT
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    for part in (str(path), *parts):
        assert part in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["lab.yaml"], "no run folder was made"


@pytest.mark.parametrize("arguments", [("run",), ("run", "absent.yaml"), ("fly",), ("run", "-x")])
def test_what_cannot_be_understood_is_bad_input(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = spanlab(*arguments, folder=tmp_path)
    assert done.returncode == BAD_INPUT
    assert "Traceback" not in done.stderr


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run the command line in this process."""
    monkeypatch.setattr(sys, "argv", ["spanlab", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def test_a_machine_that_lacks_something_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = ("root: run it again with sudo", "packages: apt-get install openvswitch-switch")
    poor = replace(MACHINE, root=False, missing=missing)
    monkeypatch.setattr("experiments.bench.probe", lambda: poor)
    monkeypatch.chdir(tmp_path)
    code = exit_code(monkeypatch, "run", write(tmp_path, tiny()))
    said = capsys.readouterr()
    assert code == MACHINE_LACKS
    for line in missing:
        assert line in said.err
    assert said.out == ""
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("as_json", [True, False])
def test_doctor_says_what_follows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    monkeypatch.setattr(capabilities, "probe", lambda: MACHINE)
    options = ["--json"] if as_json else []
    assert exit_code(monkeypatch, "doctor", *options) == 0
    out = capsys.readouterr().out
    if as_json:
        facts = json.loads(out)
        assert facts["ok"]
        assert facts["backend"] == {"impairer": "relay", "datapath": "user", "runtime": "namespace"}
    else:
        assert "relay" in out
        assert "ready" in out


@pytest.mark.parametrize(
    ("docker", "said"),
    [
        (None, "apt-get install docker.io debootstrap"),
        ("runs", "an engine runs"),
        ("can start", "a run starts its own engine"),
    ],
)
def test_doctor_says_whether_ranks_may_be_containers(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    docker: Literal["runs", "can start"] | None,
    said: str,
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(capabilities, "probe", lambda: replace(MACHINE, docker=docker))
    assert exit_code(monkeypatch, "doctor") == 0
    assert said in capsys.readouterr().out
    assert exit_code(monkeypatch, "doctor", "--json") == 0
    assert json.loads(capsys.readouterr().out)["docker"] == docker


def test_doctor_fails_where_a_run_would(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    poor = replace(MACHINE, missing=("TAP devices: modprobe tun",))
    monkeypatch.setattr(capabilities, "probe", lambda: poor)
    assert exit_code(monkeypatch, "doctor") == MACHINE_LACKS
    assert "modprobe tun" in capsys.readouterr().out
    assert exit_code(monkeypatch, "doctor", "--json") == MACHINE_LACKS
    assert not json.loads(capsys.readouterr().out)["ok"]


def test_clean_needs_root(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never() -> NoReturn:
        raise AssertionError("reaped without being root")

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(reaping, "reap", never)
    assert exit_code(monkeypatch, "clean") == MACHINE_LACKS
    assert "sudo" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "verdict", "strict", "code"),
    [
        ("finished", "faithful", False, 0),
        ("finished", "faithful", True, 0),
        ("finished", "degraded", False, 0),
        ("finished", "degraded", True, 4),
        ("finished", "invalid", True, 4),
        ("failed", "invalid", False, 1),
        ("failed", "invalid", True, 1),
        ("interrupted", "invalid", False, 1),
    ],
)
def test_the_result_decides_the_exit_code(
    status: str, verdict: str, strict: bool, code: int
) -> None:
    result = {"status": status, "fidelity": {"verdict": verdict}}
    assert cli._exit_code(result, strict) == code


def measured(*ok: bool) -> list[Direction]:
    """Return what the measurement of one span finds, each way as intended or not."""
    return [
        Direction(
            "west-east",
            direction,
            [Row("rate_bps", "wire rate", "rate", Bounds(9e6, 1e7, 11e6), 1e7 if fine else 5e6)],
        )
        for direction, fine in zip(("forward", "backward"), ok, strict=True)
    ]


@pytest.mark.parametrize(
    ("ok", "code"),
    [((True, True), 0), ((True, False), NOT_FAITHFUL), ((False, False), NOT_FAITHFUL)],
)
@pytest.mark.parametrize("options", [[], ["--json"], ["--span", "west-east"]])
def test_links_fails_when_a_span_is_not_as_intended(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ok: tuple[bool, bool],
    code: int,
    options: list[str],
) -> None:
    monkeypatch.setattr("experiments.links.inspect", lambda *_: measured(*ok))
    assert exit_code(monkeypatch, "links", write(tmp_path, tiny()), *options) == code
    out = capsys.readouterr().out
    if options == ["--json"]:
        assert [way["ok"] for way in json.loads(out)] == list(ok)
        assert json.loads(out)[0]["measured"]["rate_bps"] == (1e7 if ok[0] else 5e6)
    else:
        assert ("every span is as intended" in out) == all(ok)
        assert out.count("wire rate is 5 Mbit/s") == ok.count(False)


def test_links_of_a_span_that_is_not_there_suggests_one(tmp_path: Path) -> None:
    done = spanlab("links", write(tmp_path, tiny()), "--span", "west-est")
    assert done.returncode == BAD_INPUT
    assert 'did you mean "west-east"?' in done.stderr


def test_links_that_cannot_be_measured_fail_with_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> NoReturn:
        raise RunFailed("span west-east does not answer")

    monkeypatch.setattr("experiments.links.inspect", fails)
    assert exit_code(monkeypatch, "links", write(tmp_path, tiny())) == FAILED
    assert "west-east does not answer" in capsys.readouterr().err


def test_a_controller_that_does_not_start_says_why(tmp_path: Path) -> None:
    tmp_path.joinpath("graph.json").write_text(build_graph(scenario_of(tiny()).network).to_json())
    Intent("telepathy", {"west-east": LinkState(10**6, 0)}).write(tmp_path / "intent.json")
    controller = SupervisedController(
        tmp_path / "graph.json", tmp_path / "intent.json", tmp_path / "controller.log"
    )
    with pytest.raises(RunFailed, match="controller did not start") as caught, controller:
        controller.client.health()
    assert 'unknown policy "telepathy"' in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_policies_are_listed(tmp_path: Path) -> None:
    done = spanlab("policies", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == policies.descriptions()


def test_strategies_are_listed() -> None:
    done = spanlab("strategies", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert {name: it["about"] for name, it in found.items()} == strategies.descriptions()
    assert found["fp16"] == {**found["fp16"], "synchronous": True, "options": {}}
    assert found["pipeline"]["options"]["activations"] == {
        "default": "16 MB",
        "allowed": "a size of 4 B or more",
        "about": "between two stages, of one microbatch, each way",
    }
    assert found["diloco"]["options"]["outer_momentum"]["default"] == 0.9
    for_people = spanlab("strategies")
    assert for_people.returncode == 0
    assert all(name in for_people.stdout for name in found)


def test_tasks_are_listed() -> None:
    done = spanlab("tasks", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert sorted(found) == tasks.names()
    assert found["synthetic"]["best_loss"] is None
    assert 0 < found["language-model"]["best_loss"] < 1
    assert found["language-model"]["options"]["layers"]["default"] == 2
    for_people = spanlab("tasks")
    assert for_people.returncode == 0
    assert all(name in for_people.stdout for name in found)


def test_commands_for_a_live_lab_say_that_there_is_none() -> None:
    done = spanlab("path", "north-w1", "south-w1", "--run", "nothing")
    assert done.returncode == FAILED
    assert "no lab of run nothing is up" in done.stderr


def test_a_machine_error_in_mid_run_is_exit_code_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> NoReturn:
        raise MachineError("cannot make a TAP device: modprobe tun")

    monkeypatch.setattr("experiments.runner.run", fails)
    assert exit_code(monkeypatch, "run", write(tmp_path, tiny())) == MACHINE_LACKS
    assert "modprobe tun" in capsys.readouterr().err
