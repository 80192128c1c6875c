"""A setting of a strategy or a task: its default, its bounds and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

Value = bool | int | float


@dataclass(frozen=True)
class Option:
    """A switch where ``default`` is a bool, a whole number where it is an int, else a number.

    Attributes:
        default: taken where nothing is stated.
        about: its meaning, for people.
        least, most: the bounds of a number, themselves allowed.
        unit: ``size`` where it is bytes of the real system, which scale as gradients do; a scenario
            then states it as text, such as "16 MB".
    """

    default: Value
    about: str
    least: float = 0
    most: float = float("inf")
    unit: Literal["", "size"] = ""

    def checked(self, value: object) -> Value:
        """Return a stated value; raises ValueError that says what is allowed."""
        if isinstance(self.default, bool):
            if isinstance(value, bool):
                return value
            raise ValueError("must be true or false")
        wanted: tuple[type, ...] = (int,) if isinstance(self.default, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise ValueError(f"must be {self.allowed}")
        assert isinstance(value, int | float)
        if not self.least <= value <= self.most:
            raise ValueError(f"must be {self.allowed}")
        return value if isinstance(self.default, int) else float(value)

    @property
    def allowed(self) -> str:
        """Say in words what may be stated."""
        if isinstance(self.default, bool):
            return "true or false"
        if self.unit:
            return f"a size of {self.least:g} B or more"
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        if self.most == float("inf"):
            return f"{kind} of {self.least:g} or more"
        return f"{kind} from {self.least:g} to {self.most:g}"


def settled(options: Mapping[str, Option], stated: Mapping[str, object]) -> dict[str, Value]:
    """Return every option: as stated, else by default.

    Raises ValueError, beginning with the option's name, for one that is unknown or out of bounds.
    """
    for key in stated:
        if key not in options:
            near = get_close_matches(key, options, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            allowed = ", ".join(["name", *options])
            raise ValueError(f"{key}: unknown key; allowed: {allowed}{hint}")
    values = {}
    for key, option in options.items():
        try:
            values[key] = option.checked(stated.get(key, option.default))
        except ValueError as error:
            raise ValueError(f"{key}: {str(stated[key])[:64]!r} {error}") from None
    return values
