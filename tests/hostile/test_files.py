"""Files that nobody would write are accepted, or refused where they are wrong, and touch nothing.

`python -m benchmarks.fuzz` does the same with as many inputs as there is time for.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.fuzz.campaign import KINDS, Tally, batch, plan, sweep, validate
from benchmarks.fuzz.edits import as_text
from benchmarks.fuzz.judging import Fault, judge
from tests.fakes.scenarios import tiny
from topologies.plainyaml import MAX_BYTES, MAX_VALUES

A_TENTH = 0.1

BOMBS = {
    "aliases that multiply": b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "a merge": b"base: &b {name: x}\n<<: *b\n",
    "a Python object": b"name: !!python/object/apply:os.system ['touch /tmp/owned']\n",
    "a tag of its own": b"name: !x y\n",
    "binary": b"name: !!binary aGk=\n",
    "two documents": b"name: a\n---\nname: b\n",
    "the same key twice": b"name: a\nname: b\n",
    "a key that is a list": b"[a]: b\n",
    "deep lists": b"[" * 100_000,
    "deep mappings": b"{a: " * 100_000,
    "deep dashes": b"- " * 100_000,
    "deep question marks": b"? " * 100_000,
    "many values": b"[" + b"1," * (MAX_VALUES + 1) + b"]",
    "many bytes": b"#" * (MAX_BYTES + 1),
    "a long number": b"seed: " + b"9" * 100_000,
    "a long number to the base of 16": b"seed: 0x" + b"f" * 100_000,
    "a number to the base of 60": b"seed: " + b"1:" * 100_000 + b"1",
    "a float beyond floats": b"seed: 1.0e+999\n",
    "not a number": b"seed: .nan\n",
    "a day that is none": b"name: 2001-99-99\n",
    "a NUL": b"name: a\x00b\n",
    "an escape sequence": b"name: \x1b[2J\n",
    "an escape sequence, escaped": b'"\\e[2J": "\\e[2J"\n',
    "half a surrogate": b'name: "\\ud800"\n',
    "turned writing": b'name: "\\u202egnp"\n',
    "UTF-16": "name: x\n".encode("utf-16"),
    "no text at all": bytes(range(256)),
    "nothing": b"",
    "a text": b"x",
    "many unknown keys": b"".join(b"k%d: 1\n" % index for index in range(20_000)),
    "a long key": b"k" * 500_000 + b": 1\n",
}


@pytest.mark.parametrize("raw", BOMBS.values(), ids=BOMBS.keys())
def test_what_breaks_readers_is_refused_in_a_second(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "lab.yaml"
    file.write_bytes(raw)
    assert judge(file, validate).refused is not None


@pytest.mark.parametrize(
    ("name", "count", "share"),
    [
        ("scenarios", 150, A_TENTH),
        ("texts", 150, A_TENTH),
        ("sweeps", 40, 0.05),
        pytest.param("plans", 20, 0.05, marks=pytest.mark.thorough),
    ],
)
def test_drawn_files_are_accepted_or_refused(name: str, count: int, share: float) -> None:
    tally = Tally()
    batch(KINDS[name], 1, count, tally)
    assert tally.faults == []
    assert tally.inputs == count
    assert tally.accepted >= share * count, "the drawn files say nothing where none is accepted"


@pytest.mark.parametrize(
    "changes",
    [
        {"emulate": {"bytes": "1e999999999", "time": 1}},
        {"emulate": {"bytes": "1/1" + "0" * 20, "time": 1}},
        {"workload__compute": "0 ms"},
        {"emulate": {"bytes": "1/10", "time": "1/1000000"}, "workload__compute": "1 us"},
    ],
    ids=str,
)
def test_what_once_took_for_ever_or_had_no_answer_is_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    file = tmp_path / "lab.yaml"
    file.write_bytes(as_text(tiny(**changes)))
    assert judge(file, validate).refused is not None


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({}, True),
        ({"target": {"coherence": 1e-300}}, True),
        ({"plan__months": 1e-300}, True),
        ({"plan__costs": {"coherent-400g": 1e12}}, True),
        ({"plan__costs": {"\x1b[2J": 1}}, False),
        ({"plan__upgrades": []}, None),
    ],
    ids=str,
)
def test_a_plan_is_made_or_refused(
    tmp_path: Path, changes: dict[str, object], accepted: bool | None
) -> None:
    file = tmp_path / "lab.yaml"
    few = {"upgrades": ["coherent-400g", "parallel-wave"]}
    file.write_bytes(as_text(tiny(**{"plan": few, "timeline": [], **changes})))
    refused = judge(file, plan, limit_s=10).refused
    assert accepted is None or (refused is None) is accepted, refused


def test_a_model_of_petabytes_is_sized_at_once(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    much = {"workload__task": "language-model", "workload__gradients": "4000000 TB"}
    file.write_bytes(as_text(tiny(**much)))
    judge(file, validate)


def test_an_old_cable_far_away_is_worn_at_once(tmp_path: Path) -> None:
    old = {"route": "20000 km", "condition": "oc48-ring", "age": "292 years", "cuts": 1000}
    file = tmp_path / "lab.yaml"
    file.write_bytes(as_text(tiny(**{"network__spans__west-east": old})))
    judge(file, validate)


@pytest.mark.parametrize("name", ["../secret.yaml", "/etc/passwd", "link.yaml", "absent.yaml", "."])
def test_a_sweep_reads_no_scenario_from_elsewhere(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    secret = tmp_path / "secret.yaml"
    secret.write_bytes(as_text(tiny()))
    (folder / "link.yaml").symlink_to(secret)
    file = folder / "sweep.yaml"
    varied = {"name": "s", "vary": {"workload.steps": [14, 15]}}
    file.write_bytes(as_text({**varied, "scenario": name}))
    refused = judge(file, sweep).refused
    assert refused is not None
    assert refused.startswith(f"{file}: scenario: ")

    (folder / "own.yaml").write_bytes(as_text(tiny()))
    file.write_bytes(as_text({**varied, "scenario": "own.yaml"}))
    assert judge(file, sweep).refused is None


def test_a_catalogue_beside_a_scenario_is_no_way_out_either(tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    (tmp_path / "secret.yaml").write_text("password: swordfish\n")
    (folder / "catalogue.yaml").symlink_to(tmp_path / "secret.yaml")
    file = folder / "lab.yaml"
    file.write_bytes(as_text(tiny()))
    refused = judge(file, validate).refused
    assert refused is not None
    assert "copy it there" in refused
    assert "swordfish" not in refused


def test_a_scenario_that_never_ends_is_noticed_and_so_is_one_that_acts(tmp_path: Path) -> None:
    """The judge itself: what it is to find, it finds."""
    file = tmp_path / "lab.yaml"
    file.write_bytes(as_text(tiny()))

    def endless(_: Path) -> None:
        while True:
            pass

    with pytest.raises(Fault, match="endless"):
        judge(file, endless, limit_s=0.05)
    for act in (
        lambda path: (path.parent / "owned").write_text(""),
        lambda path: os.system("true"),
        lambda path: Path("/etc/hostname").read_text(),
        lambda path: exec(compile("1", "/given/lab.yaml", "exec")),
    ):
        with pytest.raises(Fault, match="touched"):
            judge(file, act)
    with pytest.raises(Fault, match="ZeroDivisionError"):
        judge(file, lambda _: 1 / 0)
