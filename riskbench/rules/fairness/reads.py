"""Which rules read a column that names a group of people, and how a page says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from riskbench.data.velocity import Feature
from riskbench.engine.tree import atoms

if TYPE_CHECKING:
    from riskbench.data.dataset import Dataset
    from riskbench.rules.book import RuleBook
    from riskbench.rules.rule import Rule


class Reads(NamedTuple):
    """One rule that reads a group's column: rule, status, column, how."""

    rule: str
    status: str
    column: str
    how: str


def readers(book: RuleBook, dataset: Dataset, columns: Iterable[str]) -> tuple[Reads, ...]:
    """Return which rules of a book read some columns: in the condition, through a feature, or by region.

    Parameters
    ----------
    book : RuleBook
        The rules.
    dataset : Dataset
        The events, for the columns' kinds and the roles' names.
    columns : iterable of str
        The columns.
    """
    wanted, aliases = tuple(dict.fromkeys(columns)), dataset.roles.named()
    behind: dict[str, tuple[str, ...]] = {}
    for name, entry in book.features.items():
        feature = Feature.from_mapping(name, entry)
        behind[name] = tuple(aliases.get(column, column) for column in feature.columns)
    found = []
    for rule in book.rules:
        read = {aliases.get(name, name) for name in rule.columns}
        if read <= {*dataset.kinds}:
            node = rule.bind(dataset.kinds, aliases=aliases)
            read |= {column for atom in atoms(node) for column in atom.columns}
        for column in wanted:
            if column in read:
                found.append(Reads(rule.id, rule.status, column, "in its condition"))
            elif any(column in behind.get(name, ()) for name in read):
                found.append(Reads(rule.id, rule.status, column, "through a feature"))
            if column == dataset.roles.region and rule.apart:
                found.append(Reads(rule.id, rule.status, column, "by values of its own for regions"))
    return tuple(found)


def group_notes(
    dataset: Dataset,
    *,
    book: RuleBook | None = None,
    found: Sequence[Rule] = (),
    cut_by: str | None = None,
    sweeps: str | None = None,
    columns: Iterable[str] | None = None,
) -> tuple[str, ...]:
    """Return what a page must say where a live rule, a found rule or a cut uses a column that names a group of people.

    Parameters
    ----------
    dataset : Dataset
        The events; the role `groups` names the columns.
    book : RuleBook, optional
        The rules; live ones are named.
    found : sequence of Rule
        Rules that are proposed.
    cut_by : str, optional
        The column by which cuts may differ.
    sweeps : str, optional
        The column that the cut itself compares.
    columns : iterable of str, optional
        The columns that name groups; by default those of the role.
    """
    aliases, notes = dataset.roles.named(), []
    for column in dict.fromkeys(dataset.roles.groups if columns is None else columns):
        held = readers(book, dataset, (column,)) if book is not None else ()
        live = list(dict.fromkeys(read.rule for read in held if read.status == "live"))
        if live:
            notes.append(f"Group column {column!r}: live {_listed(live)} it.")
        mined = [rule.id for rule in found if column in {aliases.get(name, name) for name in rule.columns}]
        if mined:
            notes.append(f"Group column {column!r}: proposed {_listed(mined)} it.")
        if cut_by is not None and column == aliases.get(cut_by, cut_by):
            notes.append(f"Group column {column!r}: cuts are told by it; a cut of its own treats that group otherwise.")
        if column == sweeps:
            notes.append(f"Group column {column!r}: the cut itself compares it.")
    return tuple(notes)


def _listed(rules: Sequence[str]) -> str:
    shown = ", ".join(rules[:5]) + (f" and {len(rules) - 5} more" if len(rules) > 5 else "")
    return f"rule {shown} reads" if len(rules) == 1 else f"rules {shown} read"
