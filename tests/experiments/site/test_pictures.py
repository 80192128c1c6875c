"""Pictures that are kept are those that the code draws, and are well-formed."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from experiments.site.pictures.__main__ import FOLDER, pictures

PICTURES = pictures()


def test_every_kept_picture_is_drawn() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_it_is_current(name: str) -> None:
    drawn = PICTURES[name]
    assert FOLDER.joinpath(name).read_text() == drawn, (
        f"docs/pictures/{name} is not current: python -m experiments.site.pictures"
    )


@pytest.mark.parametrize("name", PICTURES)
def test_it_can_be_told_and_stays_inside(name: str) -> None:
    root = ElementTree.fromstring(PICTURES[name])
    assert len(root.attrib["aria-label"]) > 40
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        assert 0 <= float(text.attrib["x"]) <= width, text.text
        assert 0 < float(text.attrib["y"]) <= height, text.text
