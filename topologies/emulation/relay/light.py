"""The carrier of a span's two devices: there while both directions are up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from topologies.emulation.carrier import Carrier
from topologies.emulation.replay import Replay


class Light:
    """Gives two devices carrier and takes it, as the states of their directions go.

    A thread follows states that are to come, since the kernel may let whoever changes a device wait
    for others that do: frames need not. All methods raise ImpairmentError when a device was not as
    it should be, also earlier in a trace.
    """

    def __init__(self, devices: Sequence[str]) -> None:
        """Leave the devices' carrier as it is, until `follow`."""
        self._carrier = Carrier(devices)
        self._replay: Replay[bool] | None = None

    def follow(self, forward: Any, backward: Any) -> None:
        """Put the first of some states (`records.STATE`) in force, and the others in their time."""
        both = (forward["up"] & backward["up"]).astype(bool).tolist()
        first, *later = zip(forward["from_ns"].tolist(), both, strict=True)
        self._carrier.put(first[1])
        if later:
            self._replay = Replay(self._carrier.put, later, begin_ns=0)

    def end(self) -> None:
        """Follow no longer."""
        replay, self._replay = self._replay, None
        if replay:
            replay.end()

    def check(self) -> None:
        """Raise what went wrong while following, if anything did."""
        if self._replay:
            self._replay.check()
