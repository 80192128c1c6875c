"""A comparison as a sentence. Pure."""

from __future__ import annotations

from experiments.statistics.comparison import Comparison

TWICE = 2.0
"""From here on, times are easier to grasp than per cent."""


def verdict(found: Comparison) -> str:
    """Say who is faster and by how much, or what it would take to know."""
    if found.decided:
        return _won(found)
    apart = f"{found.a} and {found.b} cannot be told apart ({_change(found.low)} to "
    apart += f"{_change(found.high)})"
    wanted = f"a difference of {100 * found.difference:.3g} %"
    if max(found.high, 1 / found.low) <= 1 + found.difference:
        return f"{apart}: there is no difference above {100 * found.difference:.3g} %"
    more = found.more_runs if found.more_steps is None else found.more_steps
    what = "runs" if found.more_steps is None else "steps"
    if more is None:
        return f"{apart}: no number of {what} that anybody would run decides {wanted}"
    if not more:
        return f"{apart}: {wanted} would most likely have shown"
    return f"{apart}; about {_rounded(more)} more {what} of each would decide {wanted}"


def _won(found: Comparison) -> str:
    ratio, low, high, better, worse = found.ratio, found.low, found.high, found.a, found.b
    if high < 1:
        ratio, low, high, better, worse = 1 / ratio, 1 / high, 1 / low, worse, better
    if ratio >= TWICE:
        return f"{better} is {ratio:.3g} times as fast as {worse} ({low:.3g} to {high:.3g})"
    by, least, most = (100 * (it - 1) for it in (ratio, low, high))
    digits = ".0f" if by >= 10 else ".1f"
    return f"{better} beats {worse} by {by:{digits}} % ({least:{digits}} to {most:{digits}})"


def _change(ratio: float) -> str:
    """Say a ratio as what it adds: +3.1 %."""
    return f"{ratio:.3g} times" if ratio >= TWICE else f"{100 * (ratio - 1):+.1f} %"


def _rounded(number: int) -> str:
    """Return a number with two digits that mean something."""
    size = 10 ** max(0, len(str(number)) - 2)
    return f"{-(-number // size) * size:,}"
