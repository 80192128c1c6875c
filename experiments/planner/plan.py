"""``spanlab plan``: which upgrades restore coherence, for how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from experiments import scaling
from experiments.planner import economics, search
from experiments.planner.answer import Choice, Plan
from experiments.planner.economics import Fleet
from experiments.planner.options import Option, Refusal, option, options_of
from experiments.planner.sensitivity import swings
from experiments.planner.worth import Outlook, Worth, job_of
from experiments.scenario import Scenario
from experiments.twin import twin_of

MOST_CHOICES = 12
"""Upgrade sets that a plan lists."""


def plan(
    scenario: Scenario,
    target: float | None = None,
    budget_usd: float | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Plan:
    """Weigh every upgrade set of a scenario; tell beforehand where that may take minutes.

    Raises NetworkError where the spans cannot work as they are.
    """
    target = target or scenario.target.coherence
    per_span = {span: options_of(scenario, span) for span in scenario.network.spans}
    options = {span: found[0] for span, found in per_span.items()}
    refused = [refusal for found in per_span.values() for refusal in found[2]]
    worth = worth_of(scenario, options)
    fleet = fleet_of(scenario)

    def affordable(price: search.Price) -> bool:
        return budget_usd is None or (price[0] == 0 and price[1] <= budget_usd)

    choices = [*options.values()]
    base = _choice(worth, (0,) * len(options))
    if (sets := search.every_set(choices)) is not None:
        values = worth.coherences(sets)
        prices = [_price(choices, indices) for indices in sets]
        open_to = [index for index, price in enumerate(prices) if affordable(price)]
        reaching = [index for index in open_to if values[index] >= target]
        best = min(reaching, key=lambda index: prices[index], default=None)
        cheapest = None if best is None else tuple(map(int, sets[best]))
        priced = [index for index in open_to if prices[index][0] == 0]
        front = [priced[it] for it in search.pareto([prices[i] for i in priced], values[priced])]
        unknown = search.pareto([prices[index] for index in open_to], values[open_to])
        listed = [*front, *(open_to[index] for index in unknown), *([best] if best else [])]
        listed += sorted(open_to, key=lambda index: -values[index])[: MOST_CHOICES // 4]
        shown = [tuple(map(int, sets[index])) for index in dict.fromkeys(listed)]
        pareto = [tuple(map(int, sets[index])) for index in front]
        method = f"all {len(sets):,} upgrade sets evaluated"
    else:
        total = np.prod([len(it) for it in choices], dtype=float)
        tell(f"weighing {total:,.0f} upgrade sets, which may take minutes")
        found = search.cheapest(choices, worth, target, affordable)
        cheapest = found.indices if found else None
        shown = [it.indices for it in search.front(choices, worth, base.outlook.coherence)]
        pareto = [it for it in shown if _price(choices, it)[0] == 0]
        method = f"branch and bound over {total:,.0f} upgrade sets, with a proven bound"
    single_sets = _singles(per_span, options)
    listed_choices = [_choice(worth, it) for it in [*([cheapest] if cheapest else []), *shown]]
    by_name = {choice.name: choice for choice in listed_choices if choice.upgrades}
    listed_choices = list(by_name.values())
    listed_choices.sort(key=lambda it: _rank(it, target))
    singles = [_choice(replace(worth, options=it), indices) for it, indices in single_sets]
    singles.sort(key=lambda it: -it.outlook.coherence)
    answer = Plan(
        target=target,
        budget_usd=budget_usd,
        method=method,
        base=base,
        cheapest=_choice(worth, cheapest) if cheapest is not None else None,
        choices=tuple(listed_choices[:MOST_CHOICES]),
        pareto=tuple(_choice(worth, it) for it in pareto),
        singles=tuple(singles),
        refused=tuple(refused),
    )
    if fleet:
        answer = _with_economics(answer, scenario, fleet)
    advised = recommended(answer)
    return replace(
        answer,
        swings=tuple(swings(scenario, lambda it: value_of(it, advised))),
        value=value_of(scenario, advised),
    )


def recommended(plan: Plan) -> Choice:
    """Return the cheapest set that reaches the target, otherwise the best of those listed."""
    return plan.cheapest or max(
        (plan.base, *plan.choices), key=lambda choice: choice.outlook.coherence
    )


def best(plan: Plan, count: int) -> list[Choice]:
    """Return the sets to look at first: the recommended one, then the best of the others."""
    ranked = sorted(plan.choices, key=lambda it: -it.outlook.coherence)
    found = {it.name: it for it in (recommended(plan), *plan.choices[:1], *ranked)}
    found.pop(plan.base.name, None)
    return list(found.values())[:count]


def worth_of(scenario: Scenario, options: Mapping[str, Sequence[Option]]) -> Worth:
    """Return the evaluator of options."""
    network = scenario.network
    twin = twin_of(scenario.model_copy(update={"timeline": ()}))
    return Worth(
        job=job_of(scenario, twin),
        graph=twin.graph,
        policy=scenario.controller.policy,
        reference=twin.reference,
        emulate=lambda real: scaling.emulated(real, scenario),
        options=options,
        ducts={span: spec.duct for span, spec in network.spans.items() if spec.duct},
        demands=twin.demands,
    )


def fleet_of(scenario: Scenario) -> Fleet | None:
    """Return the accelerators and their worth, or None where the scenario does not say."""
    counts = {name: campus.accelerators for name, campus in scenario.network.campuses.items()}
    hour_usd = scenario.plan.accelerator_hour
    if hour_usd is None or not all(counts.values()):
        return None
    return Fleet({name: count for name, count in counts.items() if count}, hour_usd)


def _price(choices: Sequence[Sequence[Option]], indices: Sequence[int]) -> search.Price:
    return search.price_of([it[index] for it, index in zip(choices, indices, strict=True)])


def _rank(choice: Choice, target: float) -> tuple[bool, int, float, float]:
    """Order sets: those that reach the target by price, then the others by coherence."""
    reaches = choice.outlook.coherence >= target
    if not reaches:
        return (True, 0, 0.0, -choice.outlook.coherence)
    known = choice.cost_usd if choice.cost_usd is not None else 0.0
    return (False, len(choice.unpriced), known, -choice.outlook.coherence)


def _choice(worth: Worth, indices: Sequence[int]) -> Choice:
    pairs = list(zip(worth.options.items(), indices, strict=True))
    picked = {span: choices[index] for (span, choices), index in pairs}
    unpriced = sorted({f"{span} {it}" for span, o in picked.items() for it in o.unpriced})
    known_usd = sum(option.known_usd for option in picked.values())
    return Choice(
        upgrades={span: option.upgrades for span, option in picked.items() if option.upgrades},
        cost_usd=None if unpriced else known_usd,
        known_usd=known_usd,
        unpriced=tuple(unpriced),
        lead_ns=max(option.lead_ns for option in picked.values()),
        outlook=worth.outlook(indices),
        states=worth.states(indices),
    )


def _singles(
    per_span: Mapping[str, tuple[list[Option], list[Option], list[Refusal]]],
    options: Mapping[str, Sequence[Option]],
) -> list[tuple[dict[str, Sequence[Option]], tuple[int, ...]]]:
    """Return every single upgrade as a set of its own, dominated ones too."""
    found = []
    for column, span in enumerate(options):
        for single in per_span[span][1]:
            alone: dict[str, Sequence[Option]] = {it: options[it][:1] for it in options}
            alone[span] = [options[span][0], single]
            found.append((alone, tuple(int(at == column) for at in range(len(options)))))
    return found


def _with_economics(answer: Plan, scenario: Scenario, fleet: Fleet) -> Plan:
    """Return a plan with what incoherence costs, and what linking or leasing a campus earns."""
    before = answer.base.outlook.coherence

    def paid(choice: Choice) -> Choice:
        after = choice.outlook.coherence
        days = economics.payback_days(fleet, before, after, choice.cost_usd)
        return replace(choice, payback_days=days)

    best = recommended(answer)
    months = scenario.plan.months
    return replace(
        answer,
        cheapest=answer.cheapest and paid(answer.cheapest),
        choices=tuple(map(paid, answer.choices)),
        pareto=tuple(map(paid, answer.pareto)),
        singles=tuple(map(paid, answer.singles)),
        waste=economics.waste_of(fleet, before),
        leases=tuple(
            economics.leases(
                fleet,
                best.outlook.coherence,
                lambda campus: without_campus(scenario, campus, best),
                best.cost_usd or 0.0,
                months,
            )
        ),
    )


def without_campus(scenario: Scenario, campus: str, choice: Choice) -> float:
    """Return the coherence of the other campuses alone, with the upgrades of a set on their spans.

    0 where they are then cut off from each other.
    """
    network = scenario.network
    others = {name: it for name, it in network.campuses.items() if name != campus}
    if len(others) == 1:
        return 1.0
    spans = {
        name: spec for name, spec in network.spans.items() if campus not in network.ends_of(name)
    }
    try:
        smaller = network.model_validate({**dict(network), "campuses": others, "spans": spans})
    except ValueError:
        return 0.0  # they cannot reach each other
    alone = scenario.model_copy(update={"network": smaller})
    return outlook_of(alone, choice.upgrades).coherence


def outlook_of(scenario: Scenario, upgrades: Mapping[str, tuple[str, ...]]) -> Outlook:
    """Return what is predicted of a scenario under given upgrades.

    Raises NetworkError where they do not fit it.
    """
    options = {
        span: [option(scenario, span, upgrades.get(span, ()))] for span in scenario.network.spans
    }
    return worth_of(scenario, options).outlook((0,) * len(options))


def value_of(scenario: Scenario, choice: Choice) -> float:
    """Return what a plan's sensitivity is about: US dollars that a set earns per day, net.

    Without prices its coherence.
    """
    after = outlook_of(scenario, choice.upgrades).coherence
    fleet = fleet_of(scenario)
    if fleet is None or choice.cost_usd is None:
        return after
    before = outlook_of(scenario, {}).coherence
    picked = [option(scenario, span, names) for span, names in choice.upgrades.items()]
    cost_usd = sum(it.known_usd for it in picked)
    gain_usd = (after - before) * fleet.total * fleet.hour_usd * 24
    return gain_usd - cost_usd / (scenario.plan.months * economics.HOURS_PER_MONTH / 24)
