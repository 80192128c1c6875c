"""Self-contained pages: a template, and figures that carry their own JavaScript."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from experiments import durable
from experiments.coherence import in_digits
from experiments.figuredata import csv_of, data_uri
from experiments.users import make_folder
from topologies.files import FileError

TEMPLATES = Path(__file__).parent / "templates"
INK, QUIET = "#1b2430", "#5b6675"
# Okabe and Ito's palette: told apart with any colour vision; shapes and labels say it again.
COLOURS = ("#0072B2", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
"""Beside each colour, so that none is needed."""
BELOW_PX = 66.0
"""Where a legend begins below what is drawn: under an axis and its title."""
CONTROL = {"displaylogo": False, "responsive": True, "displayModeBar": False}
"""Figures answer to the pointer without a bar of buttons in the way."""


def page(template: str, **values: Any) -> str:
    """Return a page from a template of the templates folder."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["saved"] = lambda *args: Markup(download(*args))
    environment.filters["in_digits"] = in_digits
    return environment.get_template(template).render(**values)


def figure_html(figure: Any, height: int, *, name: str, first: bool = True, **layout: Any) -> str:
    """Return a plotly figure as HTML in the house style; the ``first`` of a page brings plotly.

    Its ``name`` is said to those who do not see it, and is that of its data's file.
    """
    house = {
        "margin": {"l": 70, "r": 20, "t": 40, "b": 50},
        "legend": {"orientation": "h", "yanchor": "top", "y": -BELOW_PX / max(height - 100, 60)},
    }
    figure.update_layout(
        template="plotly_white",
        height=height,
        font={"family": "system-ui, sans-serif", "color": INK},
        **(house | layout),
    )
    html: str = figure.to_html(
        full_html=False,
        include_plotlyjs=first,
        config=CONTROL,
    )
    return (
        f'<div class="plot" tabindex="0" role="group" aria-label="Figure: {escape(name)}. '
        'Arrow keys go through its points; its data can be downloaded below.">'
        f"{html}</div>\n{download(name, csv_of(figure))}"
    )


def download(name: str, text: str, kind: str = "csv") -> str:
    """Return a link that saves a text as a file of that name, without any network."""
    file = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return (
        f'<p class="data"><a download="{file}.{kind}" href="{data_uri(text, f"text/{kind}")}">'
        f"{escape(name)} as {kind.upper()}</a></p>"
    )


def write_page(path: Path, text: str) -> None:
    """Write a page so that it is never seen half done; raises FileError where that fails."""
    try:
        make_folder(path.parent)
        durable.write(path, text)
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from None
