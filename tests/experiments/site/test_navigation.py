"""Pages that exist are listed once, known ones in order, others too."""

from __future__ import annotations

from experiments.site.navigation import OTHERS, SECTIONS, navigation


def listed(pages: list[str]) -> dict[str, list[str]]:
    return {heading: found for section in navigation(pages) for heading, found in section.items()}


def test_known_pages_are_in_order_and_missing_ones_left_out() -> None:
    assert listed(["concepts.md", "index.md", "faq.md"]) == {
        "Begin": ["index.md", "concepts.md"],
        "Help": ["faq.md"],
    }


def test_a_folder_stands_for_its_pages_index_first_numbers_by_size() -> None:
    pages = ["labs/10-end.md", "labs/2-loss.md", "labs/index.md", "labs/1-latency.md"]
    assert listed(pages)["Labs"] == [
        "labs/index.md",
        "labs/1-latency.md",
        "labs/2-loss.md",
        "labs/10-end.md",
    ]


def test_what_nobody_listed_is_there_nevertheless() -> None:
    assert listed(["index.md", "brand-new.md"])[OTHERS] == ["brand-new.md"]


def test_no_page_has_two_places() -> None:
    places = [page for known in SECTIONS.values() for page in known]
    assert len(places) == len(set(places))
