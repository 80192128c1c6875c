"""Words that others wrote, shown so that a terminal takes them for words."""

from __future__ import annotations

LONGEST = 80
"""Characters of a name or value that a message repeats."""


def harmless(text: str) -> str:
    """Return a text with control characters, and what turns the direction of writing, escaped.

    Ends of lines stay.
    """
    if text.isprintable():
        return text
    return "".join(it if it.isprintable() or it == "\n" else _escape(it) for it in text)


def one_line(text: str) -> str:
    """Return a text likewise, its ends of lines escaped as well."""
    return harmless(text).replace("\n", "\\n")


def short(text: str, longest: int = LONGEST) -> str:
    """Return a text on one line, its middle left out where it is long."""
    if len(text) > longest:
        text = f"{text[: longest - 13]}...{text[-10:]}"
    return one_line(text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
