"""What does a page say in the place of a step that its data cannot bear?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from riskbench.display import Fact, Grounds, Result, result
from riskbench.errors import ColumnNotFoundError, DataError


@result
class NotMeasured(Result):
    """A step that the data cannot bear, and why.

    Attributes
    ----------
    asked : str
        What was asked for.
    why : str
        What the data lacks.
    """

    kind: ClassVar[str] = "not_measured"
    title: ClassVar[str] = "Not measurable on this data"

    asked: str
    why: str

    def headline(self) -> tuple[Fact, ...]:
        """Return what was asked for, and why there is no answer."""
        return (Fact(self.asked, None, "text", note=self.why),)


def measured(verb: Callable[..., Result], subject: object, asked: Mapping[str, object]) -> Result:
    """Return what a verb answers, or a `NotMeasured` where the data lacks what it needs.

    A column that is named and not there is a slip and no lack: it still raises.

    Raises
    ------
    RiskbenchError
        For every other error of the verb.
    """
    try:
        return verb(subject, **asked)
    except ColumnNotFoundError:
        raise
    except DataError as lack:
        name = str(getattr(verb, "__name__", verb)).replace("_", " ")
        why = str(lack).splitlines()[0].rstrip(".") if str(lack) else "the data lacks what it needs"
        return NotMeasured(
            asked=name.capitalize(), why=why, grounds=Grounds(not_measurable=f"{name}: {why}."), notes=_hints(lack)
        )


def _hints(lack: DataError) -> tuple[str, ...]:
    return tuple(line for line in str(lack).splitlines()[1:] if line.startswith("Hint:"))
