"""Files are read strictly, and every fault says where it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from topologies.files import FileError, FileModel, read_model, read_yaml
from topologies.plainyaml import MAX_BYTES, MAX_DEPTH


class Leaf(FileModel):
    length: int = Field(0, ge=0, le=9)
    colour: str = "green"


class Tree(FileModel):
    leaves: dict[str, Leaf] = {}
    rings: tuple[Leaf, ...] = Field((), strict=False)
    size: float = 1.0


def written(folder: Path, text: str) -> Path:
    path = folder / "tree.yaml"
    path.write_text(text)
    return path


def fault(path: Path) -> str:
    with pytest.raises(FileError) as caught:
        read_model(path, Tree)
    message = str(caught.value)
    assert message.startswith(str(path))
    return message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\nb: 2\na: 3\n", ' line 3, column 1: "a" stands here twice'),
        ("x: {leaf: 1, leaf: 2}\n", ' line 1, column 14: "leaf" stands here twice'),
        ("a: &x 1\nb: *x\n", " line 2, column 4: aliases"),
        ("base: &b {a: 1}\nx:\n  <<: *b\n", "aliases"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"nested deeper than {MAX_DEPTH}"),
        ("a: [1\n", " line 2, column 1:"),
        ("a: !!python/object/apply:os.getcwd []\n", " line 1, column 4: tags"),
        ("a: 1\n---\nb: 2\n", "document"),
        ("a: \x07\n", "is not YAML"),
        ("[1, 2]: x\n", ""),
    ],
)
def test_what_is_not_plain_yaml_is_refused_where_it_stands(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(FileError) as caught:
        read_yaml(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:")
    assert reason in message
    assert "\n" not in message


def test_depth_and_repeated_names_are_fine_within_the_limits(tmp_path: Path) -> None:
    half = MAX_DEPTH - 2
    path = written(tmp_path, "a: " + "[" * half + "]" * half + "\nb: {a: 1}\nc: {a: 1}\n")
    assert read_yaml(path)["c"] == {"a": 1}


def test_a_large_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = written(tmp_path, "#" * (MAX_BYTES + 1))
    with pytest.raises(FileError, match="is larger than"):
        read_yaml(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: \x80\n"])
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tree.yaml"
    path.write_bytes(content)
    with pytest.raises(FileError, match="is not YAML"):
        read_yaml(path)


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        read_yaml(tmp_path / "absent.yaml")
    with pytest.raises(FileError, match="directory"):
        read_yaml(tmp_path)


def test_faults_name_file_path_value_and_what_is_allowed(tmp_path: Path) -> None:
    message = fault(written(tmp_path, "leaves: {oak: {lenght: 1}}\nsize: x\n"))
    unknown, wrong = message.splitlines()
    assert "leaves.oak.lenght: unknown key; allowed: colour, length" in unknown
    assert 'did you mean "length"?' in unknown
    assert "size: 'x'" in wrong


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("rings: [{}, {length: 12}]\n", ("rings.1.length: '12'", "9")),
        ("leaves: {oak: {length: '1'}}\n", ("leaves.oak.length: '1'", "integer")),
        ("leaves: {oak: {length: true}}\n", ("leaves.oak.length: 'True'", "integer")),
        ("leaves: 4\n", ("leaves: must hold keys and values",)),
        ("rings: [{zzz: 1}]\n", ("rings.0.zzz: unknown key; allowed: colour, length",)),
        ("tall: 1\n", ("tall: unknown key; allowed: leaves, rings, size",)),
        ("- a\n", ("must hold keys and values",)),
    ],
)
def test_every_kind_of_fault_is_located(tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    message = fault(written(tmp_path, text))
    for part in parts:
        assert part in message


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    assert "is empty" in fault(written(tmp_path, "# nothing\n"))


def test_a_hint_is_given_only_when_something_is_near(tmp_path: Path) -> None:
    assert "did you mean" not in fault(written(tmp_path, "zzz: 1\n"))


def test_a_long_value_is_cut_short(tmp_path: Path) -> None:
    assert len(fault(written(tmp_path, f"size: {'x' * 10_000}\n"))) < 400
