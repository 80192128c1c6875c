"""Which page some folders call for, and where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.finished import read_run
from experiments.pages import write_page
from experiments.sweep.store import ASKED
from experiments.understood import understood
from experiments.users import hand_to_user
from topologies.files import FileError


@dataclass(frozen=True)
class Made:
    """A page that was written, and what it says first."""

    path: Path
    headline: str


def make(folders: Sequence[Path], out: Path | None = None, *, unfaithful: bool = False) -> Made:
    """Write the page of a run, of a sweep, or of runs side by side.

    Without ``out``, it goes into the one folder, or below ``runs``. Raises NetworkError for
    folders that hold neither, or both.
    """
    sweeps = [folder for folder in folders if (folder / ASKED).is_file()]
    if sweeps and len(folders) > 1:
        raise FileError(
            f"{sweeps[0]}: is a sweep, whose page is made alone; to compare some of its points, "
            f"name their folders: {sweeps[0] / 'points'}/..."
        )
    if sweeps:
        from experiments.reports.sweeppage import sweep_page

        with understood(sweeps[0]):
            headline, text = sweep_page(sweeps[0])
        path = out or sweeps[0] / "report.html"
    elif len(folders) == 1:
        from experiments.reports.remade import page_of

        run = read_run(folders[0])
        with understood(folders[0]):
            headline, text = run.result["headline"], page_of(run)
        path = out or folders[0] / "report.html"
    else:
        from experiments.reports.comparisonpage import comparison_page

        runs = [read_run(it) for it in folders]
        with understood(folders[0].parent):
            headline, text = comparison_page(runs, unfaithful=unfaithful)
        names = "-".join(dict.fromkeys(folder.resolve().name for folder in folders))
        path = out or Path("runs") / f"comparison-{names[:100]}.html"
    with understood(path.parent):  # what no text is cannot be written
        write_page(path, text)
    hand_to_user(path)
    return Made(path, headline)
