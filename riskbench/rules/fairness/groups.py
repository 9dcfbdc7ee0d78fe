"""Which group does each event belong to: by a column, or by a condition that an analyst writes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.data.dataset import Dataset
from riskbench.engine.kernel import evaluate
from riskbench.engine.tree import Not, atoms
from riskbench.errors import ColumnNotFoundError, DataError, ParameterError
from riskbench.rules.doors import listed_names
from riskbench.rules.rule import Rule

#: More groups than this are no groups of people.
MOST_GROUPS = 200
#: A group of fewer events is not shown by itself.
SMALL = 5
#: What stands for all groups that are too small to be shown.
FOLDED = "(fewer than 5 events each)"


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Groups of events.

    Attributes
    ----------
    said : str
        The column or condition, as it was asked for.
    codes : ndarray of int32, shape (rows,)
        Each event's group.
    names : tuple of str
        The groups' names; missing is one of them.
    columns : tuple of str
        The columns that it reads.
    by_column : bool
        Whether it is a column, and no condition.
    """

    said: str
    codes: npt.NDArray[np.int32]
    names: tuple[str, ...]
    columns: tuple[str, ...]
    by_column: bool

    def folded(self) -> Grouping:
        """Return the groups with those of fewer than five events as one."""
        counts = np.bincount(self.codes, minlength=len(self.names))
        small = counts < SMALL
        if not small.any():
            return self
        kept = np.flatnonzero(~small)
        place = np.full(len(self.names), len(kept), dtype=np.int32)
        place[kept] = np.arange(len(kept), dtype=np.int32)
        names = (*(self.names[code] for code in kept), FOLDED)
        return Grouping(self.said, place[self.codes], names, self.columns, self.by_column)


def asked_groups(by: str | Iterable[str] | None, dataset: Dataset) -> tuple[str, ...]:
    """Return the columns and conditions that name groups; by default the role `groups`.

    Raises
    ------
    DataError
        When none is named.
    ParameterError
        When one of them is no text.
    """
    held = dataset.roles.groups if by is None else listed_names(by, name="by")
    if not held:
        raise DataError(
            "Which groups must be treated alike is not named",
            hint='by=["country"], or the role groups=("country",)',
        )
    if not all(isinstance(one, str) and one.strip() for one in held):
        raise ParameterError(
            "Which groups must be treated alike is not named",
            got=repr(by)[:80],
            allowed="columns, or conditions such as 'seller_age_days < 30'",
            hint='by=["country"], or the role groups=("country",)',
        )
    return tuple(dict.fromkeys(one.strip() for one in held))


def grouping(said: str, dataset: Dataset) -> Grouping:
    """Return each event's group by a column or a condition.

    Raises
    ------
    ColumnNotFoundError
        When it looks like a column and is none.
    RuleError
        When the condition cannot be read.
    ParameterError
        When it makes too many groups.
    """
    if not isinstance(said, str):
        raise ParameterError("`by` is a column or a condition", got=repr(said)[:80])
    known = [*dataset.names, *dataset.roles.named()]
    if said in known:
        column = dataset.resolve(said)
        codes, names = dataset.segment(column)
        if len(names) > MOST_GROUPS:
            raise ParameterError(
                f"{said!r} has {len(names):,} values, too many for groups",
                allowed=f"at most {MOST_GROUPS}",
                hint="name a condition that makes few groups of them",
            )
        return Grouping(said, codes, names, (column,), by_column=True)
    if re.fullmatch(r"\w+", said):
        raise ColumnNotFoundError.among(said, known)
    node = Rule("group", said, "review").bind(dataset.kinds, aliases=dataset.roles.named())
    bits = evaluate([node, Not(node)], dataset.table)
    yes, no = bits.mask(0), bits.mask(1)
    unknown = ~yes & ~no
    codes = np.where(yes, 0, np.where(no, 1, 2)).astype(np.int32)
    names = ("yes", "no", "(missing)") if unknown.any() else ("yes", "no")
    columns = tuple(sorted({column for atom in atoms(node) for column in atom.columns}))
    return Grouping(said, codes, names, columns, by_column=False)
