"""The components of a run: what each is for, and what its death or standstill means. Data.

What becomes of a run is said in docs/troubles.md, whose table the tests read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Answer = Literal["fail", "end it", "leave"]
"""What is done: the run fails at once; the component is ended, so that whoever waits for it hears
of that and goes on as after its death; or nothing, since somebody else sees to it."""


@dataclass(frozen=True)
class Kind:
    """A kind of component.

    Attributes:
        without: what a run is without it, for its message.
        dead, still: what is done when it died, and when it was stopped and stays so.
    """

    without: str
    dead: Answer
    still: Answer


KINDS: dict[str, Kind] = {
    "rank": Kind("the other ranks wait for it", dead="leave", still="end it"),
    "launcher": Kind("nobody hears the ranks any more", dead="fail", still="fail"),
    "container": Kind("its rank went with it", dead="fail", still="fail"),
    "container engine": Kind("nobody sees to the containers", dead="fail", still="fail"),
    "relay": Kind("its span carries nothing", dead="fail", still="fail"),
    "controller": Kind("nobody answers for routes", dead="leave", still="end it"),
    "ovs-vswitchd": Kind("no switch forwards anything", dead="fail", still="fail"),
    "ovsdb-server": Kind("nobody can ask the switches", dead="fail", still="fail"),
    "network of a host": Kind("nothing can be started there", dead="fail", still="fail"),
    "helper": Kind("the run waits for it", dead="leave", still="fail"),
}
"""By name. A helper is every other process that a run starts, such as a prober or a ping."""


@dataclass(frozen=True)
class Component:
    """One of them.

    Attributes:
        kind: of `KINDS`.
        name: what people call it.
        why: says what ended it, where that is known and not its own doing.
    """

    kind: str
    name: str
    why: Callable[[], str | None] = field(default=lambda: None, compare=False)

    def died(self, how: str) -> str:
        """Say that it is dead, what a run is without it, and what to do."""
        advice = self.why() or (
            "unless somebody ended it, look for 'Out of memory' in dmesg; then run it again"
        )
        return f"{self.name} {how}: {KINDS[self.kind].without}; {advice}"

    def stands(self, how: str) -> str:
        """Say that it does not go on, what a run is without it, and what to do."""
        advice = "find out what else runs on this machine that would do that; then run it again"
        return f"{self.name} {how}: {KINDS[self.kind].without}; {advice}"
