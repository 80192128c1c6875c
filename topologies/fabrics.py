"""Campus fabrics: which switches a campus has, how they are joined, where things attach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from topologies.spec import FabricSpec


@dataclass(frozen=True)
class Fabric:
    """Switches and cables of one campus, by names local to it.

    Attributes:
        switches: every switch.
        cables: pairs of switches.
        edges: switches that workers attach to, in turn.
        border: the switch that the spans leave from.
    """

    switches: tuple[str, ...]
    cables: tuple[tuple[str, str], ...]
    edges: tuple[str, ...]
    border: str


def leaf_spine(spec: FabricSpec) -> Fabric:
    """Every leaf joins every spine; a border leaf carries the spans."""
    leaves = tuple(f"leaf{i}" for i in range(1, spec.leaves + 1))
    spines = tuple(f"spine{i}" for i in range(1, spec.spines + 1))
    cables = tuple((leaf, spine) for leaf in (*leaves, "border") for spine in spines)
    return Fabric((*leaves, *spines, "border"), cables, leaves, "border")


def star(spec: FabricSpec) -> Fabric:
    """One switch for everything."""
    return Fabric(("border",), (), ("border",), "border")


def ring(spec: FabricSpec) -> Fabric:
    """A cycle of ``leaves`` switches, the first of which is the border."""
    switches = ("border", *(f"ring{i}" for i in range(2, spec.leaves + 1)))
    return Fabric(switches, _cycle(switches), switches, "border")


def torus(spec: FabricSpec) -> Fabric:
    """``spines`` rings of ``leaves`` switches, joined column by column."""
    rows = [
        tuple(
            "border" if row == column == 1 else f"t{row}x{column}"
            for column in range(1, spec.leaves + 1)
        )
        for row in range(1, spec.spines + 1)
    ]
    lines = [*rows, *zip(*rows, strict=True)]
    switches = tuple(switch for row in rows for switch in row)
    return Fabric(
        switches, tuple(cable for line in lines for cable in _cycle(line)), switches, "border"
    )


def _cycle(switches: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Join each switch to the next, and the last to the first where that is another cable."""
    cables = tuple(pairwise(switches))
    return cables if len(switches) < 3 else (*cables, (switches[-1], switches[0]))


FABRICS: dict[str, Callable[[FabricSpec], Fabric]] = {
    "leaf-spine": leaf_spine,
    "star": star,
    "ring": ring,
    "torus": torus,
}
