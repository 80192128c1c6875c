"""The site as it is built: nothing from elsewhere, no link that leads nowhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.main import get_command

from experiments.cli import app
from experiments.errors import RunFailed
from experiments.site.building import MARK, build, with_pictures
from experiments.site.pages import generated
from topologies.files import FileError

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's own site."""
    folder = tmp_path_factory.mktemp("site") / "site"
    pages = generated(get_command(app), ROOT / "experiments" / "scenarios")
    assert build(ROOT / "docs", pages, folder) == folder / "index.html"
    return folder


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder of one page."""
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "index.md").write_text("# One\n\ntext\n")
    return folder


def html_of(site: Path) -> dict[str, str]:
    return {str(path.relative_to(site)): path.read_text() for path in site.rglob("*.html")}


def test_every_page_is_on_it(site: Path) -> None:
    pages = html_of(site)
    for source in (ROOT / "docs").rglob("*.md"):
        page = source.relative_to(ROOT / "docs").with_suffix(".html")
        assert str(page).replace("README.html", "index.html") in pages
    assert {"reference/scenario.html", "reference/commands.html"} <= set(pages)


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    fetched = re.compile(
        r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//"""
        r"""|<link\b[^>]*\bhref=["']?(?:https?:)?//""",
        re.IGNORECASE,
    )
    for name, text in html_of(site).items():
        assert not fetched.findall(text), name
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", style.read_text()), style


def test_it_needs_no_server(site: Path) -> None:
    assert (site / "search" / "search_index.js").is_file(), "read by pages from a folder"
    pages = html_of(site)
    assert "assets/iframe-worker.js" in pages["index.html"]
    assert 'href="concepts.html"' in pages["index.html"], "not a folder, which would need a server"


def test_tables_and_lists_were_recognised(site: Path) -> None:
    for name, text in html_of(site).items():
        body = re.sub(r"<(pre|code)\b.*?</\1>", "", text, flags=re.DOTALL)
        assert not re.search(r"<p>\s*\|", body), f"{name}: a table that is none"
        assert not re.search(r"<p>[^<]*\n[-*] ", body), (
            f"{name}: a list without an empty line before"
        )


def test_pictures_take_the_colours_of_the_page(site: Path) -> None:
    concepts = html_of(site)["concepts.html"]
    assert concepts.count('class="picture"') >= 3
    assert "prefers-color-scheme: dark) { svg" not in concepts


def test_the_search_knows_troubles(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())
    found = {entry["location"] for entry in index["docs"] if "netem" in entry["text"]}
    assert any(location.startswith("faq.html") for location in found)


def test_a_link_that_leads_nowhere_fails(sources: Path, tmp_path: Path) -> None:
    (sources / "index.md").write_text("# One\n\n[two](two.md)\n")
    with pytest.raises(RunFailed, match=r"two\.md"):
        build(sources, {}, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_an_anchor_that_is_not_there_fails(sources: Path, tmp_path: Path) -> None:
    (sources / "index.md").write_text("# One\n\n[below](#below)\n")
    with pytest.raises(RunFailed, match="below"):
        build(sources, {}, tmp_path / "site")


def test_pages_may_link_to_the_readme_and_it_to_them(sources: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# All\n\n## Part\n\n[one](docs/index.md)\n")
    (sources / "labs").mkdir()
    (sources / "labs" / "1.md").write_text("# Lab\n\n[all](../../README.md#part)\n")
    (sources / "index.md").write_text("# One\n\n[all](../README.md)\n")
    build(sources, {}, tmp_path / "site")
    assert 'href="../readme.html#part"' in (tmp_path / "site" / "labs" / "1.html").read_text()


def test_only_its_own_folder_is_replaced(sources: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    build(sources, {}, site)
    (sources / "more.md").write_text("# More\n")
    build(sources, {}, site)
    assert (site / "more.html").is_file()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(FileError, match="holds something else"):
        build(sources, {}, precious)
    assert [path.name for path in precious.iterdir()] == ["thesis.txt"]
    assert (site / MARK).exists()


def test_only_whole_lines_are_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text("<svg><style>x</style><g/></svg>")
    inline = "see ![a](a.svg) here"
    assert with_pictures(inline, tmp_path) == inline
    assert "<svg><g/></svg>" in with_pictures("![a](a.svg)", tmp_path)
