from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.dashboard import wishes
from topologies.files import FileError


@pytest.mark.parametrize(
    "event",
    [
        {"upgrade": "north-south", "with": "coherent-400g"},
        {"age": "north-south", "by": "5 years"},
        {"fail": "north-south", "for": "50 ms"},
        {"fail": "north-south"},
        {"policy": "ecmp"},
        {"pause": True},
        {"resume": True},
        {"finish": True},
    ],
)
def test_what_a_file_may_hold_may_be_wished(event: dict[str, Any]) -> None:
    assert wishes.check(event) == event


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({}, "must hold keys"),
        ([], "must hold keys"),
        ("finish", "must hold keys"),
        ({"at": "step 3", "policy": "ecmp"}, "the run decides when"),
        ({"upgrade": "north-south"}, 'upgrade needs "with"'),
        ({"upgrade": "../../etc", "with": "x"}, "upgrade"),
        ({"age": "north-south", "by": 5}, "is not a duration"),
        ({"explode": "north-south"}, "unknown key"),
        ({"finish": True, "policy": "ecmp"}, "finish stands alone"),
        ({"finish": False}, "finish stands alone"),
        ({"fail": "a", "restore": "b"}, "says one of"),
    ],
)
def test_what_a_file_may_not_hold_is_refused_with_the_same_words(event: object, told: str) -> None:
    with pytest.raises(FileError, match="wish") as found:
        wishes.check(event)
    assert told in str(found.value)


def test_wishes_are_whole_lines_with_ids_of_their_own(tmp_path: Path) -> None:
    ids = [wishes.put(tmp_path, {"policy": name}) for name in ("ecmp", "static")]
    lines = [json.loads(line) for line in (tmp_path / "wishes.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == ids
    assert len(set(ids)) == 2
    assert [line["event"] for line in lines] == [{"policy": "ecmp"}, {"policy": "static"}]
