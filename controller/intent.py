"""What the controller was asked for: all of it, so that a restarted one goes on from a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from controller import policies
from controller.errors import IntentError
from controller.messages import Link, LinkChange, Message, place
from controller.routes import Demand
from topologies.errors import NetworkError
from topologies.graph import Graph
from topologies.linkstate import LinkState
from topologies.suggest import unknown


@dataclass(frozen=True)
class Intent:
    """What was asked for last.

    Attributes:
        policy: its name.
        links: the state of every span, as told.
        demands: traffic that policies may plan for.
        drained: spans that no traffic is to use.
        probing: whether discovery frames are sent and counters read: switches and ranks pay for it.
    """

    policy: str
    links: Mapping[str, LinkState]
    demands: tuple[Demand, ...] = ()
    drained: frozenset[str] = frozenset()
    probing: bool = True

    def write(self, path: Path) -> None:
        """Put it into a file, whole or not at all."""
        links = {
            span: Link(**LinkChange.of(state).model_dump()) for span, state in self.links.items()
        }
        stored = _Stored(
            policy=self.policy,
            links=links,
            demands=self.demands,
            drained=tuple(sorted(self.drained)),
            probing=self.probing,
        )
        draft = path.with_name(f".{path.name}")
        draft.write_text(stored.model_dump_json(indent=1))
        draft.replace(path)


class _Stored(Message):
    policy: str
    links: dict[str, Link]
    demands: tuple[Demand, ...] = ()
    drained: tuple[str, ...] = ()
    probing: bool = True


def read_intent(text: str, graph: Graph) -> Intent:
    """Read what `Intent.write` wrote.

    Raises IntentError, with the path of the field, for what is missing or not acceptable.
    """
    try:
        stored = _Stored.model_validate_json(text)
    except ValidationError as error:
        raise located(error) from None
    for span in graph.spans:
        if span not in stored.links:
            raise IntentError(f"links.{span}", "has no state")
    check_policy(stored.policy)
    check_spans("links", stored.links, graph)
    check_spans("drained", stored.drained, graph)
    check_demands(stored.demands, graph)
    links = {span: _located(f"links.{span}", link.state) for span, link in stored.links.items()}
    return Intent(stored.policy, links, stored.demands, frozenset(stored.drained), stored.probing)


def changed_links(
    changes: Mapping[str, LinkChange], current: Mapping[str, LinkState]
) -> dict[str, LinkState]:
    """Return the new states of the spans that changes name; raises IntentError."""
    for span in changes:
        if span not in current:
            raise IntentError(span[:64], unknown("span", span[:64], current))
    return {span: _located(span, change.applied, current[span]) for span, change in changes.items()}


def _located(span: str, state: Callable[..., LinkState], *arguments: LinkState) -> LinkState:
    try:
        return state(*arguments)
    except NetworkError as error:
        raise IntentError(span, str(error)) from None


def check_policy(name: str) -> None:
    """Raise IntentError unless there is a policy of that name."""
    if name not in policies.names():
        raise IntentError("policy", unknown("policy", name[:64], policies.names()))


def check_spans(field: str, names: Collection[str], graph: Graph) -> None:
    """Raise IntentError for a span that does not exist."""
    for name in names:
        if name not in graph.spans:
            raise IntentError(field, unknown("span", name[:64], graph.spans))


def check_demands(demands: Sequence[Demand], graph: Graph) -> None:
    """Raise IntentError for a demand whose campuses or spans do not exist."""
    campuses = {switch.campus for switch in graph.switches}
    for index, demand in enumerate(demands):
        for end in ("source", "target"):
            name = getattr(demand, end)
            if name not in campuses:
                field = f"demands.{index}.{end}"
                raise IntentError(field, unknown("campus", name[:64], campuses))
        check_spans(f"demands.{index}.over", demand.over, graph)


def located(error: ValidationError) -> IntentError:
    """Return the first of a model's complaints, with the path of its field."""
    first = error.errors(include_url=False)[0]
    return IntentError(place(first["loc"]), first["msg"])
