"""Student's t."""

from __future__ import annotations


def student_quantile(share: float, freedom: float) -> float:
    """Return what that share of Student's t lies below; ``freedom`` may be infinite."""
    from scipy.special import stdtrit  # a quarter of a second, which no run waits for at its start

    return float(stdtrit(freedom, share))
