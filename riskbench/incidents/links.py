"""What links two accounts? Columns whose values they share, or a table of known links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

import numpy as np
import pandas as pd

from riskbench.errors import ParameterError, listed

#: What the table of edges that a caller hands over holds.
EDGE_COLUMNS = ("a", "b", "evidence", "since")


@dataclass(frozen=True)
class Links:
    """What links accounts: columns whose values they share, or a table of edges; and how widely a value may be shared.

    Use one to say more than a list of columns: who the members of a ring are, or where a hub begins. By default
    the entities of the roles link, as far as they are a person's own, and hubs are cut by the data's own measure.

    Parameters
    ----------
    columns : sequence of str, optional
        Columns whose shared values link; those named here link even where they look like a meeting place.
    account : str, optional
        The column of those who are linked; by default the first entity that is somebody rather than a place.
    hubs : int or mapping of str to int, optional
        The most accounts that one value may join, for all columns or by column.
    edges : DataFrame, optional
        Known links: a, b, evidence, and since (a moment, optional); they come beside the columns if these are named.

    Examples
    --------
    >>> from riskbench import Links
    >>> Links(("device_id", "card"), account="buyer_id", hubs={"device_id": 20})
    Links(device_id, card; of buyer_id)
    """

    columns: tuple[str, ...] | None = None
    _: KW_ONLY
    account: str | None = None
    hubs: int | Mapping[str, int] | None = None
    edges: pd.DataFrame | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.columns is not None:
            object.__setattr__(self, "columns", tuple(dict.fromkeys(_names(self.columns))))
        limits = self.hubs.values() if isinstance(self.hubs, Mapping) else [self.hubs]
        for limit in limits:
            if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | np.integer) or limit < 2):
                raise ParameterError("A hub's limit is a number of accounts", got=repr(limit), allowed="2 or more")
        if self.edges is not None:
            if not isinstance(self.edges, pd.DataFrame) or not {"a", "b"} <= set(map(str, self.edges.columns)):
                raise ParameterError(
                    "A table of edges has the columns a and b",
                    got=listed(getattr(self.edges, "columns", [type(self.edges).__name__])),
                    allowed=", ".join(EDGE_COLUMNS),
                )
            object.__setattr__(self, "edges", self.edges.copy())

    @classmethod
    def of(cls, given: Links | Sequence[str] | pd.DataFrame | None) -> Links:
        """Return what a caller handed over as links.

        Raises
        ------
        ParameterError
            When it is neither columns nor a table of edges.
        """
        if given is None:
            return cls()
        if isinstance(given, Links):
            return given
        if isinstance(given, pd.DataFrame):
            return cls((), edges=given)
        if isinstance(given, str) or (isinstance(given, Sequence) and all(isinstance(name, str) for name in given)):
            return cls(_names(given))
        raise ParameterError("Links are columns or a table of edges", got=type(given).__name__, allowed="Links, names")

    def __repr__(self) -> str:
        parts = [", ".join(self.columns) if self.columns is not None else "the entities"]
        if self.edges is not None:
            parts = [*(parts if self.columns else []), f"{len(self.edges):,} edges"]
        return f"Links({'; '.join(parts)}{f'; of {self.account}' if self.account else ''})"


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
