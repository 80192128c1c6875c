"""A list in a file is a list."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.ondisk import OnDisk

VALUES = st.one_of(st.integers(), st.text(), st.dictionaries(st.text(), st.integers()))


@given(st.lists(VALUES), st.lists(st.tuples(st.integers(-5, 5), VALUES)))
def test_it_holds_what_a_list_would(
    values: list[object], changes: list[tuple[int, object]]
) -> None:
    expected, found = list(values), OnDisk(values)
    for index, value in changes:
        if -len(expected) <= index < len(expected):
            expected[index] = found[index] = value
        else:
            expected.append(value)
            found.append(value)
        assert (list(found), found[-1]) == (expected, expected[-1])
    assert len(found) == len(expected)
    assert found[1:3] == expected[1:3]


def test_what_is_not_there_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        OnDisk[int]()[0]
    with pytest.raises(IndexError):
        OnDisk([1])[1]


def test_its_file_goes_with_it() -> None:
    files = Path("/proc/self/fd")
    before = len(list(files.iterdir()))
    values = OnDisk(range(100))
    assert len(list(files.iterdir())) == before + 1
    del values
    assert len(list(files.iterdir())) == before
