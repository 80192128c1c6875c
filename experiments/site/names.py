"""The references of policies, strategies, tasks, conditions and upgrades, from code and data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from controller import policies
from experiments import strategylist, tasklist
from experiments.site.markdown import code, page, table
from topologies.catalogue import Catalogue, bundled
from topologies.upgrades.upgrade import Cost

OPTIONS = ("option", "value", "default", "meaning")


def policies_page() -> str:
    """Return the page of all routing policies."""
    rows = ((code(name), about) for name, about in policies.descriptions().items())
    more = (
        "`controller: {policy: NAME}` in a scenario, `{at: step 20, policy: NAME}` on its "
        "timeline, or `./spanlab policy set NAME` while a network is up. What each one does in "
        "detail, which demands it reads, and how to write your own: [policies](../policies.md).\n"
    )
    return page(
        "All policies",
        "the files of `controller/policies/`",
        table(("policy", "what it does"), rows),
        more,
    )


def strategies_page() -> str:
    """Return the page of all training strategies with their options."""
    parts = [
        "`workload: {strategy: NAME}`, or with options `{name: NAME, OPTION: ...}`. What to know "
        "about each: [strategies](../strategies.md).\n"
    ]
    for name, found in strategylist.listed().items():
        alike = (
            "bit-identical after every step"
            if found["synchronous"]
            else "not alike after every step"
        )
        parts += [f"## {name}\n", f"{found['about']} Parameters of all ranks are {alike}.\n"]
        parts += [_options(found["options"])]
    return page("All strategies", "the files of `workloads/strategies/`", *parts)


def tasks_page() -> str:
    """Return the page of all tasks with their options."""
    parts = [
        "`workload: {task: NAME}`, or with options `{name: NAME, OPTION: ...}`. What to know about "
        "each: [tasks](../tasks.md).\n"
    ]
    for name, found in tasklist.listed().items():
        best = found["best_loss"]
        loss = "" if best is None else f" No loss falls below {best:.4f} nats per character."
        parts += [f"## {name}\n", f"{found['about']}{loss}\n", _options(found["options"])]
    return page("All tasks", "the files of `workloads/tasks/`", *parts)


def conditions_page() -> str:
    """Return the page of what spans can be made of: conditions, transceivers, error correction."""
    known = bundled()
    return page(
        "All conditions",
        "the files of `topologies/ageing/`",
        "`condition: NAME` on a span with a `route` and an `age`, or several of which later ones "
        "modify the first. `./spanlab explain FILE SPAN` derives what one comes to. Your own go "
        "under [catalogue](scenario.md#catalogue), which says what every field means.\n",
        table(
            ("condition", "what it is", "plant"),
            ((code(name), it.summary, _stated(it.plant)) for name, it in known.conditions.items()),
        ),
        "## Transceivers\n",
        table(
            ("optics", "fields"), ((code(name), _stated(it)) for name, it in known.optics.items())
        ),
        "## Error correction\n",
        table(
            ("code", "what it is", "bit-error rate that it just handles", "delay"),
            (
                (
                    code(name),
                    it.summary,
                    "—" if it.threshold is None else f"{it.threshold:g}",
                    it.model_dump()["delay"],
                )
                for name, it in known.codes.items()
            ),
        ),
    )


def upgrades_page() -> str:
    """Return the page of all upgrades of the catalogue."""
    return page(
        "All upgrades",
        "`topologies/upgrades/catalogue.yaml`",
        "`{at: step 24, upgrade: SPAN, with: NAME}` on the timeline; `./spanlab plan FILE` weighs "
        "all of them. Upgrades compose. A price that nobody publishes is unknown until you state "
        "it "
        "under [plan](scenario.md#plan). Letters are grades of evidence: "
        "[how it works](../how-it-works.md#ageing).\n",
        *(_upgrade(name, bundled()) for name in bundled().upgrades),
    )


def scenarios_page(folder: Path) -> str:
    """Return the page of the scenarios that come with the project, whole."""
    parts = []
    for file in sorted(folder.glob("*.yaml")):
        parts += [f"## {file.stem}\n", f"`./spanlab run experiments/scenarios/{file.name}`\n"]
        parts += [f"```yaml\n{file.read_text().rstrip()}\n```\n"]
    return page("Scenarios to begin with", "the files of `experiments/scenarios/`", *parts)


def _options(options: dict[str, Any]) -> str:
    if not options:
        return "It has no options.\n"
    return table(
        OPTIONS,
        (
            (code(key), it["allowed"], code(it["default"]), it["about"])
            for key, it in options.items()
        ),
    )


def _upgrade(name: str, known: Catalogue) -> str:
    it = known.upgrades[name]
    added = it.adds.model_dump(exclude_defaults=True)
    facts = [
        ("replaces", _stated(it.sets)),
        ("adds", ", ".join(f"{code(key)} {value:g}" for key, value in added.items())),
        ("needs", ", ".join(it.needs)),
        ("costs", _cost(it.cost)),
        ("takes", it.model_dump()["lead_time"] if it.lead_time else "not known how long"),
        ("traffic", "led around the span meanwhile" if it.drains else "may stay on the span"),
    ]
    if not it.live:
        facts.append(("training", "does not feel it while it runs: compare two scenarios"))
    rows = (fact for fact in facts if fact[1])
    return f"## {name}\n\n{it.summary[0].upper()}{it.summary[1:]}.\n\n{table(('', ''), rows)}"


def _stated(model: BaseModel) -> str:
    """Return the fields that are not as they are by default."""
    fields = model.model_dump(exclude_defaults=True, mode="json")
    return ", ".join(f"{code(key)} {_words(value)}" for key, value in fields.items())


def _words(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(" ".join(map(_words, it.values())) for it in value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cost(cost: Cost) -> str:
    parts = [("", cost.once), (" per km", cost.per_km), (" per month", cost.per_month)]
    if not any(price != 0 for _, price in parts):
        text = "nothing"
    else:
        text = " and ".join(
            "unknown" if price is None else f"{price:,.0f} USD{unit}"
            for unit, price in parts
            if price != 0
        )
    return f"{text} ({cost.source})" if cost.source else text
