"""What a browser would save of a page."""

from __future__ import annotations

import base64
import re


def saved(html: str, name: str, kind: str = "csv") -> str:
    """Return the text of the file of that name."""
    address = rf'download="{name}.{kind}" href="data:text/{kind};charset=utf-8;base64,(.*?)"'
    link = re.search(address, html)
    assert link, name
    return base64.b64decode(link[1]).decode()
