"""Self-contained pages: a template, and figures that carry their own JavaScript."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

TEMPLATES = Path(__file__).parent / "templates"
INK, QUIET = "#1b2430", "#5b6675"
# Okabe and Ito's palette: told apart with any colour vision; shapes and labels say it again.
COLOURS = ("#0072B2", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")


def page(template: str, **values: Any) -> str:
    """Return a page from a template of the templates folder."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def figure_html(figure: Any, height: int, *, first: bool = True, **layout: Any) -> str:
    """Return a plotly figure as HTML in the house style; the ``first`` of a page brings plotly."""
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 70, "r": 20, "t": 40, "b": 50},
        font={"family": "system-ui, sans-serif", "color": INK},
        legend={"orientation": "h", "y": -0.2},
        **layout,
    )
    html: str = figure.to_html(
        full_html=False,
        include_plotlyjs=first,
        config={"displaylogo": False, "responsive": True},
    )
    return html
