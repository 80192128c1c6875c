"""What spans are made of and upgraded with: the project's data, and a user's beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from topologies.ageing.codes import Code
from topologies.ageing.plant import Optics, Plant, PlantChange
from topologies.errors import NetworkError, PhysicsError
from topologies.files import FileModel, read_model
from topologies.suggest import unknown
from topologies.upgrades.upgrade import Upgrade, refuse_misfit

_HERE = Path(__file__).parent


class Condition(FileModel):
    """A named kind of span, or a modifier of one."""

    summary: str = Field(description="a line on it, for people")
    plant: PlantChange = Field(description="what the span is made of")


class Catalogue(FileModel):
    """Error correction, optics, conditions and upgrades by name."""

    codes: dict[str, Code] = Field(default_factory=dict, description="error correction, by name")
    optics: dict[str, Optics] = Field(default_factory=dict, description="transceivers, by name")
    conditions: dict[str, Condition] = Field(
        default_factory=dict, description="kinds of span, or modifiers of one, by name"
    )
    upgrades: dict[str, Upgrade] = Field(
        default_factory=dict, description="changes of a span, by name"
    )

    def with_more(self, more: Catalogue) -> Catalogue:
        """Return both together; where a name stands in both, the other's counts."""
        fields = type(self).model_fields
        return Catalogue(**{name: getattr(self, name) | getattr(more, name) for name in fields})

    def plant(self, conditions: Iterable[str], route_m: int, age_ns: int) -> Plant:
        """Return the span that conditions describe on a route, later ones modifying earlier ones.

        Raises NetworkError where they leave open what its optics are.
        """
        plant = Plant(route_m=route_m, age_ns=age_ns, optics=None)
        for condition in conditions:
            plant = self._changed(plant, self.conditions[condition].plant)
        if plant.optics is None:
            only = " and ".join(conditions)
            raise NetworkError(f'"{only}" modifies another condition: name that one first')
        return plant

    def upgraded(self, plant: Plant, name: str) -> Plant:
        """Return a plant after an upgrade; upgrades compose.

        Raises PhysicsError for one that the plant has no place for or that changes nothing.
        """
        upgrade = self.upgrades[name]
        refuse_misfit(name, upgrade, plant)
        self._refuse_lesser_code(name, plant, upgrade.sets)
        after = self._changed(plant, upgrade.sets)
        adds = upgrade.adds
        after = replace(
            after,
            waves=after.waves + adds.waves,
            noise_figure_db=max(3.0, after.noise_figure_db + adds.noise_figure_db),
        )
        if after == plant:
            raise PhysicsError(f"{name}: changes nothing on this span")
        return after

    def code_of(self, optics: Optics) -> Code:
        """Return the error correction that optics come with."""
        return self.codes[optics.code]

    def _refuse_lesser_code(self, name: str, plant: Plant, change: PlantChange) -> None:
        if change.code is None or change.optics is not None or plant.optics is None:
            return
        now, then = plant.code.threshold or 0.0, self.codes[change.code].threshold or 0.0
        if then <= now:
            raise PhysicsError(
                f"{name}: the span's {plant.code.summary} corrects {now:.2g} of the bits already, "
                f"{self.codes[change.code].summary} {then:.2g}"
            )

    def _changed(self, plant: Plant, change: PlantChange) -> Plant:
        fields: dict[str, Any] = change.stated()
        if "optics" in fields:
            optics = fields["optics"] = self.optics[fields["optics"]]
            fields["code"] = self.codes[fields.get("code", optics.code)]
            fields.setdefault("waves", 1)
            fields.setdefault("worn_waves", None)
        elif "code" in fields:
            fields["code"] = self.codes[fields["code"]]
        if "slack" in fields:
            if fields["slack"] >= plant.slack:
                raise PhysicsError(f"the route is already {plant.slack:g} times the straight line")
            fields["route_m"] = round(plant.route_m * fields["slack"] / plant.slack)
        return replace(plant, **fields)

    def check_names(self) -> None:
        """Raise NetworkError for a name that nothing here defines."""
        for name, optics in self.optics.items():
            if optics.code not in self.codes:
                raise NetworkError(
                    f"optics.{name}.code: {unknown('code', optics.code, self.codes)}"
                )
        changes = [(f"conditions.{name}.plant", it.plant) for name, it in self.conditions.items()]
        changes += [(f"upgrades.{name}.sets", it.sets) for name, it in self.upgrades.items()]
        for where, change in changes:
            for field, known in (("optics", self.optics), ("code", self.codes)):
                name = getattr(change, field)
                if name is not None and name not in known:
                    raise NetworkError(f"{where}.{field}: {unknown(field, name, known)}")


@cache
def bundled() -> Catalogue:
    """Return the project's own catalogue."""
    catalogue = Catalogue(
        codes=read_model(_HERE / "ageing" / "codes.yaml", dict[str, Code]),
        optics=read_model(_HERE / "ageing" / "optics.yaml", dict[str, Optics]),
        conditions=read_model(_HERE / "ageing" / "conditions.yaml", dict[str, Condition]),
        upgrades=read_model(_HERE / "upgrades" / "catalogue.yaml", dict[str, Upgrade]),
    )
    catalogue.check_names()
    return catalogue
