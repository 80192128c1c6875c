"""What `spanlab demo` measured, as README.md shows it; pictures are to its scale."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """A row of the demo's result: steps from and to, the median step, and coherence."""

    name: str
    first: int
    last: int
    step_ms: float
    coherence: float


REFERENCE_MS = 445.9
COMPUTE_MS = 400.0
"""100 ms of the real system at a time scale of 4."""
REFERENCE_STEPS = 12
STEPS = 64
PHASES = (
    Phase("aged", 12, 23, 2905.0, 0.15),
    Phase("north-south upgraded", 25, 41, 879.6, 0.51),
    Phase("south-east upgraded", 42, 63, 451.7, 0.98),
)
