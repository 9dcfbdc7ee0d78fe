"""Which rows do the tables of two runs not share: rules, entities, segments, cuts, events?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from riskbench.display.fact import number as as_text
from riskbench.privacy import personal_kind
from riskbench.runner.kept import Kept

if TYPE_CHECKING:
    from riskbench.rules.book import RuleBook

#: Tables that are compared beside the main one of each result, where they are there.
_ALSO = ("cuts", "segments", "entities", "members", "rings", "hubs", "events")
#: A diary of when things were written down: no two runs share a row of it.
_DIARIES = frozenset({"incident_record"})
#: Larger tables are counted only; so many rows of one table are told, and so many columns of a row.
_LARGEST, _ROWS, _COLUMNS = 200_000, 200, 3
SUMMARY = ("result", "table", "key", "before", "after", "gained", "lost", "changed")
ROWS = ("result", "table", "column", "entry", "change", "what")
#: Key columns whose value is of the column that another column, of the name `column`, tells.
_ENTITIES = ("entity", "value")


def compared(before: Kept, after: Kept) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return how many rows each table gained, lost and changed, and the rows themselves."""
    old = {held["name"]: held for held in before.results}
    summary: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    for held in after.results:
        was = old.get(held["name"])
        if was is None or was["kind"] != held["kind"] or held["kind"] in _DIARIES:
            continue
        for table in dict.fromkeys((held["main"], *_ALSO)):
            if table in held["tables"] and table in was["tables"]:
                first, last = before.table(was, table), after.table(held, table)
                if first is not None and last is not None:
                    row, rows = _table(first, last)
                    named = {"result": held["name"], "table": table}
                    summary.append({**named, **row})
                    told += [{**named, **one} for one in rows]
    return pd.DataFrame(summary, columns=list(SUMMARY)), pd.DataFrame(told, columns=list(ROWS))


def _table(first: pd.DataFrame, last: pd.DataFrame) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    counts: dict[str, Any] = {"before": len(first), "after": len(last)}
    key = key_of(first, last)
    if not key or max(len(first), len(last)) > _LARGEST:
        return {"key": "none" if not key else ", ".join(key), **counts}, []
    old, new = (
        frame.set_index(pd.MultiIndex.from_frame(frame[key].astype(str)), drop=False) for frame in (first, last)
    )
    gained, lost = new.index.difference(old.index, sort=False), old.index.difference(new.index, sort=False)
    both = new.index.intersection(old.index, sort=False)
    columns = [name for name in last.columns if name in first.columns and name not in key]
    differs = _differs(old.loc[both, columns], new.loc[both, columns])
    changed = both[differs.any(axis=1).to_numpy()] if columns else both[:0]
    counts |= {"key": ", ".join(key), "gained": len(gained), "lost": len(lost), "changed": len(changed)}
    told = [name for name in columns if personal_kind(name) is None]
    rows = [{**_entry(new.loc[at], key), "change": "gained", "what": _said(new.loc[at], told)} for at in gained[:_ROWS]]
    rows += [{**_entry(old.loc[at], key), "change": "lost", "what": _said(old.loc[at], told)} for at in lost[:_ROWS]]
    for at in changed[:_ROWS]:
        moved = [name for name in told if differs.loc[at, name]]
        what = _moved(old.loc[at], new.loc[at], moved) or "who it is of"
        rows.append({**_entry(new.loc[at], key), "change": "changed", "what": what})
    return counts, rows


def key_of(first: pd.DataFrame, last: pd.DataFrame) -> list[str]:
    """Return the columns that tell rows apart in both frames: the first text columns that do; none where none do.

    >>> key_of(pd.DataFrame({"rule": ["a", "a"], "part": ["x", "y"], "hits": [1, 2]}), pd.DataFrame({"rule": ["a"],
    ...     "part": ["x"], "hits": [3]}))
    ['rule', 'part']
    """
    key: list[str] = []
    for name in map(str, first.columns):
        if name not in last.columns or not (_named(first[name]) and _named(last[name])):
            continue
        key.append(name)
        if not (first[key].astype(str).duplicated().any() or last[key].astype(str).duplicated().any()):
            return key
    return []


def _named(column: pd.Series) -> bool:
    kinds = pd.api.types
    return bool(
        kinds.is_string_dtype(column) or kinds.is_object_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype)
    ) or str(column.name) in ("id", "event", "week", "day", "ring")


def _differs(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    made = {}
    for name in new.columns:
        first, last = old[name], new[name]
        if pd.api.types.is_numeric_dtype(first) and pd.api.types.is_numeric_dtype(last):
            made[name] = (first.to_numpy() != last.to_numpy()) & ~(first.isna().to_numpy() & last.isna().to_numpy())
        else:
            made[name] = first.map(_plain).to_numpy() != last.map(_plain).to_numpy()
    return pd.DataFrame(made, index=new.index)


def _plain(value: object) -> str:
    if hasattr(value, "tolist"):
        value = value.tolist()
    missing = value is None or value is pd.NaT or value is pd.NA or value != value  # noqa: PLR0124
    return "–" if missing else str(value)


def _entry(row: pd.Series, key: list[str]) -> dict[str, str]:
    """Return which row it is, and of which column: that is how a page knows whom it must not name."""
    if key[0] in _ENTITIES and "column" in row.index:
        return {"column": _plain(row["column"])[:200], "entry": _plain(row[key[0]])[:200]}
    return {"column": ", ".join(key), "entry": " · ".join(_plain(row[name]) for name in key)[:200]}


def _said(row: pd.Series, columns: list[str]) -> str:
    return "; ".join(f"{_words(name)} {_value(row[name])}" for name in columns[:_COLUMNS])


def _moved(old: pd.Series, new: pd.Series, names: list[str]) -> str:
    """Return what of a row moved: words first, and bounds of intervals last."""
    order = sorted(names, key=lambda name: (name.endswith(("_lower", "_upper")), isinstance(new[name], int | float)))
    told = [f"{_words(name)} {_value(old[name])} → {_value(new[name])}" for name in order[:_COLUMNS]]
    more = len(order) - len(told)
    return "; ".join([*told, *([f"and {more} more"] if more else [])])


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and value == value:  # noqa: PLR0124
        return as_text(value)
    return _plain(value)[:80]


def rules_between(before: RuleBook | None, after: RuleBook | None) -> pd.DataFrame:
    """Return what changes between two rule books: rule, change (gained, lost, changed), what; none without a text."""
    columns = ["rule", "change", "what"]
    if before is None or after is None or before.hash == after.hash:
        return pd.DataFrame(columns=columns, dtype="object")
    from riskbench.rules.changes import told

    old, new = ({rule.id for rule in book.rules} for book in (before, after))
    rows = []
    for change in told(before.to_mapping(), after.to_mapping()):
        about = change.about or "the book"
        word = "gained" if about in new - old else "lost" if about in old - new else "changed"
        rows.append((about, word, change.what))
    return pd.DataFrame(rows, columns=columns)


def cuts_between(before: Kept, after: Kept) -> pd.DataFrame:
    """Return the chosen cuts of two calibrations: segment, before, after, change; none where a run chose none."""
    found = []
    for kept in (before, after):
        held = next((one for one in kept.results if one["kind"] == "decision"), None)
        frame = kept.table(held, "cuts") if held is not None else None
        usable = frame is not None and {"segment", "proposed"} <= set(frame.columns)
        found.append({} if not usable or frame is None else _cuts(frame))
    old, new = found
    rows = []
    for name in dict.fromkeys([*old, *new]):
        was, now = old.get(name), new.get(name)
        moved = None if was is None or now is None else now - was
        rows.append((name, was, now, moved))
    made = pd.DataFrame(rows, columns=["segment", "before", "after", "change"])
    return made.astype({"before": float, "after": float, "change": float})


def _cuts(frame: pd.DataFrame) -> Mapping[str, float | None]:
    cuts = pd.to_numeric(frame["proposed"], errors="coerce")
    return {str(name): None if cut != cut else float(cut) for name, cut in zip(frame["segment"], cuts, strict=True)}  # noqa: PLR0124


def on_the_same_events(before: Kept | None, after: Kept | None, *, lowest: str) -> pd.DataFrame:
    """Return how many events exactly one of two proposed rule books would alert, by what they turned out to be.

    Paired: only events that the two treat differently tell. `difference` is after less before, with its 95 % interval
    and McNemar's mid p-value.
    """
    columns = ["measure", "only_before", "only_after", "difference", "lower", "upper", "p_value", "n"]
    old, new = (None if kept is None else _flips(kept) for kept in (before, after))
    if old is None or new is None:
        return pd.DataFrame(columns=columns, dtype="object")
    return pd.DataFrame(_paired(old, new, lowest), columns=columns)


def _flips(kept: Kept) -> pd.DataFrame | None:
    held = next((one for one in kept.results if one["kind"] == "comparison"), None)
    frame = kept.table(held, "events") if held is not None else None
    if frame is None or not {"id", "before", "after", "label"} <= set(frame.columns) or frame["id"].duplicated().any():
        return None
    return frame.set_index(frame["id"].astype(str))[["before", "after", "label"]].astype(str)


def _paired(old: pd.DataFrame, new: pd.DataFrame, lowest: str) -> Iterator[tuple[Any, ...]]:
    from riskbench.metrics.intervals import sum_interval
    from riskbench.metrics.paired import mcnemar

    both = old.add_suffix("_old").join(new.add_suffix("_new"), how="outer")
    today = both["before_old"].fillna(both["before_new"])  # the same book, so the same where both tell
    first = both["after_old"].fillna(today) != lowest
    last = both["after_new"].fillna(today) != lowest
    label = both["label_old"].fillna(both["label_new"])
    kinds = {"alerts": label.notna(), "frauds alerted": label == "fraud", "good events alerted": label == "good"}
    for measure, of in kinds.items():
        only_old, only_new = int((first & ~last & of).sum()), int((last & ~first & of).sum())
        flips = only_old + only_new
        lower, upper = sum_interval([only_new - only_old], [flips])
        _, p_value, _ = mcnemar(only_old, only_new)
        yield (
            measure,
            only_old,
            only_new,
            only_new - only_old,
            float(lower[0]),
            float(upper[0]),
            float("nan") if p_value is None else p_value,
            flips,
        )
