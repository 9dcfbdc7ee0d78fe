"""What every answer is: frozen facts and small tables that show themselves, with where they came from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

from riskbench.display import chart, html
from riskbench.display.fact import Fact
from riskbench.display.grounds import Grounds
from riskbench.errors import ParameterError, listed, nearest

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

T = TypeVar("T")

#: What every result says about where its numbers come from.
PROVENANCE = ("dataset", "book", "label_recipe", "parameters", "sql", "seed", "version", "seconds")


@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=False)
def result(cls: type[T]) -> type[T]:
    """Make a class a frozen, keyword-only record whose repr stays the one line of `Result`."""
    return dataclass(frozen=True, eq=False, repr=False, kw_only=True)(cls)


@result
class Result:
    """The base of every result.

    A subclass declares facts as scalars and tables as DataFrames, says its `headline()`, and may draw
    itself in `_draw`. A repr only reads what the result holds: it never queries and never raises.

    Attributes
    ----------
    notes : tuple of str
        What a reader must know: assumptions, what is not measurable and why.
    provenance : mapping
        Where the numbers come from: dataset fingerprint, book hash, label recipe, parameters, SQL, seed,
        version, seconds; None for what has no part in them.
    pages : mapping
        How the repr tells a table where not as it stands: its caption, and the same in a reader's words; empty
        where the table has nothing to tell.
    grounds : Grounds or None
        What the answer rests on: measured, estimated, bounded, not measurable.
    """

    kind: ClassVar[str] = "result"
    title: ClassVar[str] = "Result"
    main: ClassVar[str] = ""
    next_step: ClassVar[str] = ""
    repr_rows: ClassVar[int] = 10
    #: The table that the repr shows, where that is not the main one.
    repr_table: ClassVar[str] = ""
    #: Columns that the repr shows of it; all when empty.
    repr_columns: ClassVar[tuple[str, ...]] = ()
    #: Tables that the repr shows below the main one, each under its name; empty ones are left out.
    repr_tables: ClassVar[tuple[str, ...]] = ()

    notes: tuple[str, ...] = ()
    provenance: Mapping[str, object] = field(default_factory=dict)
    pages: Mapping[str, tuple[str, pd.DataFrame]] = field(default_factory=dict)
    grounds: Grounds | None = None
    lazy: Mapping[str, Callable[[], pd.DataFrame]] = field(default_factory=dict)
    _cache: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from riskbench import __version__

        told = {**dict.fromkeys(PROVENANCE), "version": __version__, **self.provenance}
        object.__setattr__(self, "provenance", told)

    def headline(self) -> tuple[Fact, ...]:
        """Return at most six facts: the answer first."""
        return ()

    @property
    def tables(self) -> tuple[str, ...]:
        """The names that `frame` takes."""
        import pandas as pd

        held = [f.name for f in fields(self) if isinstance(getattr(self, f.name), pd.DataFrame)]
        return tuple(dict.fromkeys([*held, *self.lazy]))

    def frame(self, name: str | None = None) -> pd.DataFrame:
        """Return a copy of one table; the main one when no name is given.

        Raises
        ------
        ParameterError
            When there is no table of that name.
        """
        import pandas as pd

        if name is not None and not isinstance(name, str):
            raise ParameterError("A table is asked for by its name", got=repr(name)[:80], allowed=listed(self.tables))
        wanted = self.main if name is None else name
        held = getattr(self, wanted, None) if wanted in self.tables else None
        if isinstance(held, pd.DataFrame):
            return held.copy()
        if wanted in self.lazy:
            if wanted not in self._cache:
                self._cache[wanted] = self.lazy[wanted]()
            return self._cache[wanted].copy()
        close = nearest(wanted, self.tables)
        raise ParameterError(
            f"{type(self).__name__} has no table {wanted!r}",
            allowed=listed(self.tables),
            hint=f"did you mean {close!r}?" if close else None,
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the result on `ax`, or on a new figure, and return the axes.

        Raises
        ------
        ParameterError
            When this kind of result has no picture.
        """
        if not self.drawable:
            raise ParameterError(f"{type(self).__name__} has no picture", hint="read .frame() instead")
        ax = chart.axes() if ax is None else ax
        self._draw(ax)
        return ax

    @property
    def drawable(self) -> bool:
        """Whether there is something to draw."""
        return type(self)._draw is not Result._draw  # noqa: SLF001

    @property
    def height(self) -> float:
        """The picture's height in inches."""
        return 3.6

    def _draw(self, ax: Axes) -> None:
        """Draw onto `ax`."""

    @property
    def alt(self) -> str:
        """The picture in words."""
        return f"{self.title}. " + ". ".join(str(fact) for fact in self.headline())

    def png(self) -> bytes | None:
        """Return the picture as PNG bytes, or None when there is nothing to draw."""
        held = self.picture()
        return None if held is None else held.png

    def picture(self) -> chart.Drawn | None:
        """Return the picture with the place of its axes, drawn once; None when there is nothing to draw."""
        if not self.drawable:
            return None
        if "picture" not in self._cache:
            self._cache["picture"] = chart.drawn(self._draw, height=self.height)
        held: chart.Drawn = self._cache["picture"]
        return held

    def to_dict(self) -> dict[str, Any]:
        """Return the facts, the tables in memory and the provenance as JSON-safe values."""
        tables = {name: records(self.frame(name)) for name in self.tables if name not in self.lazy}
        return {
            "kind": self.kind,
            "title": self.title,
            "headline": [fact.to_dict() for fact in self.headline()],
            "tables": tables,
            "notes": list(self.notes),
            **({} if self.grounds is None else {"grounds": self.grounds.to_dict()}),
            "provenance": json_safe(self.provenance),
        }

    def __repr__(self) -> str:
        facts = "; ".join(str(fact) for fact in self.headline())
        return f"{type(self).__name__}({facts})"

    def _repr_html_(self) -> str:
        parts = [html.heading(self.title), html.facts(self.headline())]
        if self.grounds is not None:
            parts.append(html.grounds(self.grounds.lines()))
        drawn = self.png()
        if drawn is not None:
            parts.append(html.picture(drawn, alt=self.alt))
        told = self.repr_table or self.main
        if told in self.pages:
            caption, frame = self.pages[told]
            parts.append(html.table(frame, caption=caption, rows=self.repr_rows))
        elif told in self.tables and told not in self.lazy:
            frame = self.frame(told)
            shown = [name for name in self.repr_columns if name in frame.columns]
            if len(frame):
                parts.append(html.table(frame[shown] if shown else frame, rows=self.repr_rows))
        parts += [
            html.table(frame, caption=caption, rows=self.repr_rows)
            for caption, frame in (
                self.pages.get(name) or (name.replace("_", " ").capitalize(), self.frame(name))
                for name in self.repr_tables
            )
            if len(frame)
        ]
        parts.append(html.notes(self.notes))
        if self.next_step:
            parts.append(html.notes([f"Next: {self.next_step}"]))
        return f'<div style="max-width:70em">{"".join(parts)}</div>'

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        bundle: dict[str, Any] = {
            "text/plain": repr(self),
            "text/html": self._repr_html_(),
            f"application/vnd.riskbench.{self.kind}.v1+json": self.to_dict(),
        }
        drawn = self.png()
        if drawn is not None:
            bundle["image/png"] = drawn
        return bundle


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame as a list of JSON-safe rows."""
    return json.loads(frame.to_json(orient="records", date_format="iso", double_precision=12))


def json_safe(value: object) -> Any:
    """Return a value with everything JSON cannot say turned into text or plain numbers."""
    if isinstance(value, Mapping):
        return {str(key): json_safe(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_safe(inner) for inner in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()  # a numpy scalar
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)
