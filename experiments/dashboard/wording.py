"""What events of a run are called on the page. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.timeline import DONE

Event = Mapping[str, Any]

_SENTENCES = {
    "network up": "the network is up",
    "clocks compared": "clocks compared",
    "ranks ready": "ranks have joined each other",
    "measured": "the spans were measured again",
    "network gone": "the network is taken down",
    "controller restarted": "the controller had died and was started again",
    "rerouted": "the controller routed anew by itself",
    "rules changed by others": "somebody else changed rules of a switch",
    "pause": "training pauses",
    "resume": "training goes on",
}
_SILENT = ("trained", "replay", "wish", "wish refused", "reference", "back")
"""Said otherwise, or by each rank or span."""


def is_happening(event: Event) -> bool:
    """Say whether an event changed the network or who trains, and so began a phase."""
    return "step" in event and "target" in event and event["kind"] != "pause"


def sentence(event: Event) -> str | None:
    """Return what the log says of an event, or None where it says nothing."""
    kind = event["kind"]
    if kind in _SILENT:
        return None
    if is_happening(event):
        target = event["target"]
        if kind == "policy":
            return f"routing by {target}"
        if kind == "strategy":
            return f"training by {target}: first its reference, with every span as a campus"
        done = f"{target} {DONE.get(kind, kind)}"
        return f"{done}: {event['upgrade']}" if event.get("upgrade") else done
    if kind == "training started":
        return f"{len(event['ranks'])} ranks train from step {event['step']} on"
    if kind == "session not saved":
        return f"the session is not saved: {event['reason']}"
    if kind == "ranks lost":
        return "lost: " + str(event.get("error", "")).partition("\n")[0]
    return _SENTENCES.get(kind, str(kind))


def phase_name(events: Sequence[Event], strategy: str, *, first: bool) -> str:
    """Name a phase after the events that began it, as the run itself does."""
    kinds = {event["kind"] for event in events}
    if "reference" in kinds:
        return f"reference of {strategy}"
    if "back" in kinds:
        return f"training by {strategy}"
    if first and kinds == {"age"}:
        return "aged"
    if kinds == {"policy"}:
        return f"routing by {events[0]['target']}"
    done = sorted({(event["kind"], str(event["target"])) for event in events})
    targets = " and ".join(dict.fromkeys(target for _, target in done))
    kind = kinds.pop()
    return f"{targets} {'changed' if kinds else DONE.get(kind, kind)}"


def wish_sentence(event: Mapping[str, Any]) -> str:
    """Return a wish in the words of a scenario file."""
    if event.get("pause") is True:
        return "pause"
    if event.get("resume"):
        return "resume"
    if event.get("finish"):
        return "finish"
    return ", ".join(f"{key}: {value}" for key, value in event.items())
