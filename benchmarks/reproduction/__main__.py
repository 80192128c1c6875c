"""``python -m benchmarks.reproduction [RUNS]``: puts what the sweeps found into docs/published.md.

Replaces what stands between ``<!-- ITEM -->`` and ``<!-- end -->`` there, and the pictures that it
shows. An item whose sweeps have not been run stays as it is.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from benchmarks.reproduction.chart import Chart
from benchmarks.scoreboard import Table
from topologies.files import FileError

DOCS = Path(__file__).parents[2] / "docs"
ITEMS = ("bandwidth", "distance", "losses", "stalls")


class Item(Protocol):
    """One published result, reproduced."""

    CAPTION: str

    def tables(self, runs: Path) -> list[Table]:
        """Return its figures."""

    def chart(self, runs: Path) -> Chart:
        """Return its picture."""

    def remark(self, runs: Path) -> str:
        """Say what holds for all of them."""


def main() -> None:
    """Write the page's figures."""
    runs = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
    page = DOCS / "published.md"
    text = page.read_text()
    for name in ITEMS:
        item = cast(Item, import_module(f"benchmarks.reproduction.{name}"))
        try:
            blocks = ["\n".join(table.markdown) for table in item.tables(runs)]
            picture = item.chart(runs).svg()
        except FileError as error:
            print(f"{name}: left as it is: {error}", file=sys.stderr)
            continue
        if not blocks:
            print(f"{name}: left as it is: no sweep has been run", file=sys.stderr)
            continue
        shown = f"![{item.CAPTION}](published/{name}.svg)"
        text = with_figures(text, name, "\n\n".join([*blocks, item.remark(runs), shown]))
        (DOCS / "published" / f"{name}.svg").write_text(picture)
        page.write_text(text)


def with_figures(page: str, name: str, figures: str) -> str:
    """Return a page with an item's figures in their place; raises ValueError where it has none."""
    place = re.compile(rf"<!-- {name} -->.*?<!-- end -->", re.DOTALL)
    if not place.search(page):
        raise ValueError(f"the page has no place for {name}: <!-- {name} --> to <!-- end -->")
    return place.sub(lambda found: f"<!-- {name} -->\n\n{figures}\n\n<!-- end -->", page)


if __name__ == "__main__":
    main()
