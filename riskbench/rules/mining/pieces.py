"""Which conditions can be made of one column? Cuts at readable numbers, words, yes and no, missing."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from riskbench.engine.columns import Column
from riskbench.errors import RuleError

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint8]
Shape = Literal[">=", "<", "in", "yes", "no", "missing", "present"]

#: Shares of the values at which a number is cut.
_SHARES = np.array([0.002, 0.005, 0.01, 0.02, *np.arange(0.05, 0.96, 0.05), 0.98, 0.99, 0.995, 0.998])
#: A list of words in a condition holds at most this many.
MOST_LISTED = 6
#: A list of more words than this is hard to read; it has to be worth so much more than a shorter one.
READABLE, _NEARLY = 3, 0.85
_LONGEST_WORD = 200
#: Whole numbers of so few values are cut at every one of them, where cuts are fine.
_EVERY = 100


@dataclass(frozen=True, slots=True)
class Piece:
    """One condition on one column.

    Attributes
    ----------
    column : str
        The column.
    shape : {">=", "<", "in", "yes", "no", "missing", "present"}
        How it is compared.
    values : tuple
        The cut, or the words.
    low, high : int
        The bins that meet it, `low` to before `high`; for words the bins are in `bins`.
    bins : tuple of int
        The bins of the words.
    """

    column: str
    shape: Shape
    values: tuple[int | float | str, ...] = ()
    low: int = 0
    high: int = 0
    bins: tuple[int, ...] = ()

    def meets(self, codes: Codes) -> npt.NDArray[np.bool_]:
        """Return which bins' events meet it."""
        if self.shape == "in":
            found = codes == self.bins[0]
            for place in self.bins[1:]:
                found |= codes == place
            return found
        return (codes >= self.low) & (codes < self.high)


@dataclass(frozen=True, eq=False)
class Binned:
    """A column as one small bin an event: 0 where it is missing.

    Attributes
    ----------
    name, kind : str
        The column and its kind.
    codes : ndarray of uint8, shape (events,)
        The bins.
    size : int
        How many bins there are, the missing one included.
    cuts : tuple of number
        Ascending; a number from cut k on lies in a bin above k + 1.
    words : tuple of str
        The words of bins 1, 2 and so on; None where a word cannot stand in a rule.
    way : int
        1 where a condition may only ask for more (or yes), -1 for less (or no), 0 for either.
    """

    name: str
    kind: str
    codes: Codes
    size: int
    cuts: tuple[int | float, ...] = ()
    words: tuple[str | None, ...] = ()
    way: int = 0

    @cached_property
    def spans(self) -> list[Piece]:
        """Every cut, yes or no, missing or not; of words only the latter."""
        if self.kind == "string":
            return self._presence()
        if self.kind == "bool":
            less, more = [Piece(self.name, "no", (), 1, 2)], [Piece(self.name, "yes", (), 2, 3)]
            found = (less if self.way <= 0 else []) + (more if self.way >= 0 else [])
        else:
            more = [Piece(self.name, ">=", (cut,), k + 2, self.size) for k, cut in enumerate(self.cuts)]
            less = [Piece(self.name, "<", (cut,), 1, k + 2) for k, cut in enumerate(self.cuts)]
            found = (more if self.way >= 0 else []) + (less if self.way <= 0 else [])
        return [*found, *self._presence()]

    def _presence(self) -> list[Piece]:
        return [Piece(self.name, "missing", (), 0, 1), Piece(self.name, "present", (), 1, self.size)]

    def listed(self, gain: Ints, cost: Ints, frauds: Ints, *, at_least: int, weights: tuple[float, ...]) -> list[Piece]:
        """Return the best lists of words for sums by bin of what is gained, what it costs, and of target events.

        The best few under each weight of the cost: a condition that pays only with others is kept too.
        """
        can = [place + 1 for place, word in enumerate(self.words) if word is not None and frauds[place + 1] > 0]
        found: dict[tuple[int, ...], Piece] = {}
        for weight in weights:
            worth = {place: float(gain[place] - weight * cost[place]) for place in can}
            order = [place for place in sorted(can, key=lambda place: (-worth[place], place)) if worth[place] > 0]
            for count in _counts([worth[place] for place in order[:MOST_LISTED]]):
                bins = tuple(sorted(order[:count]))
                if int(frauds[list(bins)].sum()) >= at_least:
                    found[bins] = Piece(self.name, "in", tuple(str(self.words[place - 1]) for place in bins), bins=bins)
        return list(found.values())


def _counts(worths: list[float]) -> list[int]:
    """Return how many of some words, the best first, are tried in a list: few, unless more are clearly worth more."""
    longest, all_of_it = len(worths), sum(worths)
    few = next((count for count in range(1, longest + 1) if sum(worths[:count]) >= _NEARLY * all_of_it), longest)
    top = min(longest, max(few, min(longest, READABLE)))
    return sorted({1, top - 1, top} - {0}) if worths else []


def binned(
    name: str,
    column: Column,
    rows: npt.NDArray[np.intp],
    target: npt.NDArray[np.bool_],
    *,
    way: int = 0,
    fine: bool = False,
) -> Binned:
    """Return a column's bins over some events; numbers are cut where target or other events lie.

    Parameters
    ----------
    name : str
        The column's name.
    column : Column
        All its values.
    rows : ndarray of intp
        The events.
    target : ndarray of bool, shape (len(rows),)
        Which of them are sought.
    way : int
        Which way a cut may point; 0 for either.
    fine : bool
        Whether whole numbers of few values are cut at each, and others just above target values too.
    """
    values = column.values[rows]
    present = column.present[rows]
    if column.kind == "bool":
        return Binned(name, "bool", np.where(present, values.astype(np.uint8) + 1, 0).astype(np.uint8), 3, way=way)
    if column.kind == "string":
        assert column.words is not None
        used = np.unique(values[present])
        words = sorted((str(column.words[int(code)].as_py()), int(code)) for code in used)
        place = np.zeros(max(1, len(column.words)), dtype=np.uint8)
        place[[code for _, code in words]] = np.arange(1, len(words) + 1)
        codes = np.where(present, place[values], 0).astype(np.uint8)
        return Binned(name, "string", codes, len(words) + 1, words=tuple(_sayable(word) for word, _ in words))
    cuts = _cuts(values[present & target], values[present & ~target], whole=column.kind == "int", fine=fine)
    places = np.searchsorted(np.array(cuts, dtype=values.dtype), values, side="right") + 1
    return Binned(
        name, column.kind, np.where(present, places, 0).astype(np.uint8), len(cuts) + 2, cuts=tuple(cuts), way=way
    )


def _cuts(
    target: npt.NDArray[np.generic], others: npt.NDArray[np.generic], *, whole: bool, fine: bool
) -> list[int] | list[float]:
    """Return readable numbers near the quantiles of two groups, ascending."""
    found = [np.quantile(part, _SHARES, method="inverted_cdf") for part in (target, others) if len(part)]
    if not found:
        return []
    if fine:
        values = np.unique(np.concatenate([target, others]))
        if whole and len(values) <= _EVERY:
            return [int(value) for value in values[1:]]
        above = np.searchsorted(values, found[0], side="right")
        found.append(values[np.minimum(above, len(values) - 1)])
    exact = np.unique(np.concatenate(found))
    exact = exact[np.isfinite(exact)]
    cuts: set[int] | set[float] = set()
    for digits in (2, 3, 4, 6):
        cuts = {readable(value, digits=digits, whole=whole) for value in exact.tolist()}
        if len(cuts) >= 0.6 * len(exact):
            break
    return sorted(cuts)


def readable(value: float, *, digits: int, whole: bool = False) -> int | float:
    """Return a number rounded to some digits; whole numbers below a hundred stay as they are.

    >>> readable(1523411, digits=2, whole=True), readable(0.7634, digits=2), readable(87, digits=1, whole=True)
    (1500000, 0.76, 87)
    """
    if whole:
        number = int(value)
        if abs(number) < 100:
            return number
        step = 10 ** (len(str(abs(number))) - digits)
        near = (number + step // 2) // step * step if step > 1 else number
        return near if -(2**63) <= near < 2**63 else number
    rounded = float(f"{value:.{digits - 1}e}")
    rounded = rounded if np.isfinite(rounded) else float(value)
    return rounded + 0.0


def _sayable(word: str) -> str | None:
    """Return a word that can stand in a condition, else None."""
    return word if len(word) <= _LONGEST_WORD and (word.isprintable() or word == "") else None


def spelled(pieces: Sequence[Piece], *, taken: Collection[str] = ()) -> tuple[str, dict[str, int | float]]:
    """Return conditions joined by AND as rule text, with a parameter for each cut; `taken` are names not to use.

    >>> spelled([Piece("amount", ">=", (500,)), Piece("country", "in", ("it's",), bins=(1,)), Piece("is_new", "yes")])
    ("amount >= :amount_from AND country = 'it''s' AND is_new", {'amount_from': 500})
    """
    params: dict[str, int | float] = {}
    parts = []
    for piece in pieces:
        name = column_text(piece.column)
        if piece.shape in (">=", "<"):
            param = _param_name(piece.column, "from" if piece.shape == ">=" else "below", {*taken, *params})
            params[param] = piece.values[0]  # type: ignore[assignment]
            parts.append(f"{name} {piece.shape} :{param}")
        elif piece.shape == "in":
            words = ["'" + str(word).replace("'", "''") + "'" for word in piece.values]
            parts.append(f"{name} = {words[0]}" if len(words) == 1 else f"{name} IN ({', '.join(words)})")
        else:
            said = {"yes": "{}", "no": "NOT {}", "missing": "{} IS NULL", "present": "{} IS NOT NULL"}
            parts.append(said[piece.shape].format(name))
    return " AND ".join(parts), params


def column_text(name: str) -> str:
    """Return a column's name as it stands in a condition: in double quotes where it is no plain word."""
    from riskbench.engine.parse import parse

    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        try:
            if parse(f"{name} IS NULL").columns == (name,):
                return name
        except RuleError:
            pass
    return '"' + name.replace('"', '""') + '"'


def _param_name(column: str, word: str, taken: Collection[str]) -> str:
    stem = re.sub(r"[^A-Za-z0-9_]+", "_", column)[:50].strip("_")
    stem = stem if stem and not stem[0].isdigit() else f"c_{stem}".rstrip("_")
    name, more = f"{stem}_{word}", 2
    while name in taken:
        name, more = f"{stem}_{word}_{more}", more + 1
    return name
