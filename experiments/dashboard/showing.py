"""What the dashboard shows: scenarios to start, or one run; and what may be asked of it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.dashboard import wishes
from experiments.dashboard.child import Child
from experiments.dashboard.follow import Condition, Follower, condition_told
from experiments.dashboard.offers import Offer
from experiments.dashboard.stream import Stream
from experiments.record import default_folder
from experiments.scenario import Scenario
from topologies.files import FileError

ITEMS_AT_ONCE = 2000
"""In one message, so that a long run is drawn while the rest still comes."""


class Refused(ValueError):
    """What the page asked for cannot be had as things are."""


class Showing:
    """One at a time: a choice of scenarios, or a run that was started here or elsewhere.

    Attributes:
        stream: what every page is told of it.
    """

    def __init__(
        self, offers: Sequence[Offer], folder: Path | None = None, out: Path | None = None
    ) -> None:
        """Show a run's folder, or else a choice; the first run that is started goes to ``out``."""
        self._offers = {offer.name: offer for offer in offers}
        self._out = out
        self._child: Child | None = None
        self._follower: Follower | None = None
        self.stream = Stream()
        if folder:
            self._follow(Follower(folder))
        else:
            self._begin("choose")

    @property
    def folder(self) -> Path | None:
        """Return the run folder that is shown."""
        return self._follower.folder if self._follower else None

    @property
    def scenario(self) -> Scenario | None:
        """Return the scenario of the run that is shown, once it has begun."""
        facts = self._follower and self._follower.facts
        return facts.scenario if facts else None

    @property
    def _condition(self) -> Condition | None:
        return self._follower.condition if self._follower else None

    def start(self, name: object) -> None:
        """Start a scenario that is offered; raises Refused while a run is under way."""
        offer = self._offers.get(name) if isinstance(name, str) else None
        if not offer:
            raise Refused(f"no such scenario is offered; there are: {', '.join(self._offers)}")
        if self._condition and not self._condition.over:
            raise Refused("a run is under way: finish it first")
        if self.runs_here:
            raise Refused("the last run still takes its network down; try again in a moment")
        folder = self._out or default_folder(offer.name, secrets.token_hex(3))
        self._out = None
        self._child = Child(offer.file, folder)
        self._follow(Follower(folder))

    def choose(self) -> None:
        """Offer scenarios again; raises Refused where there are none, or a run is under way."""
        if not self._offers:
            raise Refused("this dashboard was started for one run; start another dashboard")
        if self._condition and not self._condition.over:
            raise Refused("a run is under way: finish it first")
        self._follower = None
        self._begin("choose")

    def wish(self, event: object) -> str:
        """Hand a wish to the run and return its id.

        Raises Refused where no run listens, FileError for what a scenario file may not hold.
        """
        if not self._follower or not self._condition or not self._condition.steerable:
            over = self._condition and self._condition.over
            raise Refused(
                "the run is over: what is replayed cannot be changed"
                if over
                else "no run listens: start one here, or with spanlab run FILE --live"
            )
        return wishes.put(self._follower.folder, wishes.check(event))

    def poll(self) -> list[dict[str, Any]]:
        """Return what is new of the run; may take long, and touches no page."""
        follower, child = self._follower, self._child
        if not follower or follower.condition.over:
            return []
        gone = bool(child and child.folder == follower.folder and not child.alive)
        try:
            messages = follower.poll()
        except FileError as error:
            messages = _failed(follower, str(error))
        if gone and follower.condition.state == "starting":
            messages += _failed(follower, child.last_words() if child else "")
        return messages

    def tell(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Tell all pages what `poll` found."""
        for message in messages:
            items = message.get("items", ())
            if len(items) <= ITEMS_AT_ONCE:
                self.stream.send(message)
                continue
            for first in range(0, len(items), ITEMS_AT_ONCE):
                self.stream.send({**message, "items": items[first : first + ITEMS_AT_ONCE]})

    def end(self) -> bool:
        """End a run that was started here; return whether it has taken its network down."""
        return self._child is None or self._child.end()

    @property
    def runs_here(self) -> bool:
        """Return whether a run that was started here still works."""
        return self._child is not None and self._child.alive

    def _follow(self, follower: Follower) -> None:
        self._follower = follower
        self._begin("run")
        self.stream.send(condition_told(follower.condition))

    def _begin(self, mode: str) -> None:
        """Begin a new stream: all pages forget what they showed."""
        old, self.stream = self.stream, Stream()
        offers = [offer.told() for offer in self._offers.values()] if mode == "choose" else []
        again = bool(self._offers)
        self.stream.send({"kind": "begin", "mode": mode, "offers": offers, "again": again})
        old.close()


def _failed(follower: Follower, why: str) -> list[dict[str, Any]]:
    follower.condition = Condition("failed", error=why)
    return [condition_told(follower.condition)]
