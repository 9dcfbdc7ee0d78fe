"""What does an answer rest on? One line each: what is measured, estimated, bounded, and not measurable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What an answer rests on, in one line each.

    Attributes
    ----------
    measured : str
        What was counted on events with a verdict.
    estimated : str
        What a model or a weight adds: late labels, events that history stopped, money.
    bounded : str
        What is only known between two ends.
    not_measurable : str
        What the data cannot say, and from when it can.
    """

    measured: str = ""
    estimated: str = ""
    bounded: str = ""
    not_measurable: str = ""

    def lines(self) -> tuple[str, ...]:
        """Return the four lines, each with its word; "nothing" where there is none of a kind."""
        return tuple(
            f"{spec.name.replace('_', ' ').capitalize()}: {getattr(self, spec.name) or 'nothing.'}"
            for spec in fields(self)
        )

    def to_dict(self) -> dict[str, str]:
        """Return the four lines by name."""
        return {spec.name: getattr(self, spec.name) for spec in fields(self)}

    @classmethod
    def joined(cls, parts: Iterable[Grounds | None]) -> Grounds:
        """Return several grounds as one, each sentence once, in order."""
        held = [part for part in parts if part is not None]
        return cls(
            **{
                spec.name: " ".join(dict.fromkeys(text for part in held if (text := getattr(part, spec.name))))
                for spec in fields(cls)
            }
        )
