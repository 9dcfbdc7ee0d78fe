"""What is told of each ring: its figures, its members, its links, and the hubs that were cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.display.mask import masked
from riskbench.incidents.reading import NONE, masked_in, moment, ranged
from riskbench.incidents.ringed import Ringed

Ints = npt.NDArray[np.int64]

RINGS = (
    "ring", "kind", "told", "suspicious", "members", "events", "money", "evidence", "meeting", "frauds", "good",
    "unlabelled", "fraud_share", "fraud_share_lower", "fraud_share_upper", "share_elsewhere", "usual_share",
    "enrichment", "enrichment_lower", "enrichment_upper", "p_value", "q_value", "measure_p", "share_in_window",
    "first_seen", "last_seen", "density", "parts", "joined_by", "found_by",
)  # fmt: skip
MEMBERS = ("entity", "column", "ring", "role", "events", "evidence")
EDGES = ("a", "b", "evidence", "ring", "events", "since")
HUBS = ("value", "column", "degree", "in_window", "groups", "events", "frauds", "labelled", "reason")

#: How likely chance may be, over all hubs listed, to give any so many frauds.
CHANCE = 0.01
#: The most hubs that are listed, and the most links.
MOST_HUBS, MOST_EDGES = 25, 5_000


def noun(column: str, count: int = 2) -> str:
    """Return what a column's values are called.

    >>> noun("device_id"), noun("address_id"), noun("ip", 1), noun("bank_account_id", 1)
    ('devices', 'addresses', 'IP', 'bank account')
    """
    word = column.removesuffix("_id").replace("_", " ").strip() or column
    word = word.upper() if len(word) <= 2 else word
    if count == 1:
        return word
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s"


def evidence_of(held: Ringed, number: int) -> str:
    """Return in words what a ring's accounts share, what ties most first."""
    members = int(held.frame["members"].iloc[number])
    ties = [(len(np.unique(who)), kind.name, len(np.unique(what))) for kind, who, what, _, _ in held.shared(number)]
    ties.sort(key=lambda tie: (-tie[0], tie[1]))
    parts = [f"{count:,} {noun(name, count)}" for _, name, count in ties[:4]]
    said = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts) or "nothing"
    return f"{members:,} {noun(held.web.account.name, members)} share {said}"


def rings_of(held: Ringed) -> pd.DataFrame:
    """Return the table of rings, best first; evidence is told of the first hundred and of all suspicious ones."""
    if not held.groups.rings:
        return pd.DataFrame(columns=list(RINGS))
    frame = held.frame.iloc[held.ranked].reset_index(drop=True)
    told = max(100, int(frame["suspicious"].sum()))
    numbers = frame["number"].to_numpy()[:told]
    words = [evidence_of(held, int(number)) for number in numbers]
    meets = [held.meetings.get(int(number)) for number in numbers]
    blank = [""] * (len(frame) - len(words))
    frame["evidence"] = [*words, *blank]
    frame["meeting"] = [
        *(f"{met[2]} of {met[3]} events meet {noun(met[0], 1)} {met[1]}" if met else "" for met in meets),
        *blank,
    ]
    frame["ring"] = np.arange(1, len(frame) + 1)
    return frame[list(RINGS)]


def joined(row: Mapping[Any, Any], *, sizes: Sequence[int] = ()) -> str:
    """Return in words why a ring is one though its groups share nothing with one another; empty where all are linked.

    >>> joined({"parts": 3, "joined_by": "creator_id"}, sizes=(14, 11, 3))
    '3 groups (14, 11 and 3 accounts) joined only by whom they keep meeting (creator)'
    """
    parts = int(row["parts"])
    if parts < 2:
        return ""
    many = [f"{size:,}" for size in sizes]
    told = f" ({', '.join(many[:-1])} and {many[-1]} accounts)" if many else ""
    places = [noun(name, 1) for name in str(row["joined_by"]).split(", ") if name]
    if not places:
        return f"{parts} groups{told} equally dense, not linked with one another"
    return f"{parts} groups{told} joined only by whom they keep meeting ({', '.join(places)})"


def members_of(held: Ringed, order: Ints) -> pd.DataFrame:
    """Return who and what belongs to the rings shown."""
    rows: list[tuple[object, ...]] = []
    at = np.flatnonzero(held.ring_of_event >= 0)
    now = np.bincount(held.web.account.codes[at], minlength=held.web.account.size)
    for rank, number in enumerate(order.tolist(), 1):
        links = held.shared(number)
        accounts = np.flatnonzero(held.groups.ring == number)
        said: dict[int, list[str]] = {int(account): [] for account in accounts}
        values: list[tuple[object, ...]] = []
        for kind, who, what, events, _ in links:
            held_by = np.bincount(np.unique(what, return_inverse=True)[1])
            names = dict(zip(np.unique(what).tolist(), kind.coded.written(np.unique(what)), strict=True))
            sharing = dict(zip(np.unique(what).tolist(), held_by.tolist(), strict=True))
            for account, value in zip(who.tolist(), what.tolist(), strict=True):
                said[account].append(f"{noun(kind.name, 1)} {names[value]} with {sharing[value] - 1}")
            values += [
                (name, kind.name, rank, "shared", int(events[what == value].sum()), f"{sharing[value]} accounts")
                for value, name in names.items()
            ]
        rows += [
            (name, held.web.account.name, rank, "account", int(now[account]), "; ".join(said[account][:4]))
            for name, account in zip(held.web.account.written(accounts), accounts.tolist(), strict=True)
        ]
        rows += sorted(values, key=lambda row: (-int(str(row[5]).split()[0]), str(row[1]), str(row[0])))
        if number in held.meetings:
            column, value_name, met, events_all = held.meetings[number]
            rows.append((value_name, column, rank, "meeting", met, f"{met} of {events_all} events"))
    return pd.DataFrame(rows, columns=list(MEMBERS))


def edges_of(held: Ringed, order: Ints) -> pd.DataFrame:
    """Return the links of the rings shown."""
    parts: list[pd.DataFrame] = []
    total = 0
    for rank, number in enumerate(order.tolist(), 1):
        for kind, who, what, events, first in held.shared(number):
            parts.append(
                pd.DataFrame(
                    {
                        "a": held.web.account.written(who),
                        "b": kind.coded.written(what),
                        "evidence": kind.name,
                        "ring": rank,
                        "events": events,
                        "since": pd.to_datetime(first, unit="us"),
                    }
                )
            )
            total += len(who)
        if total > MOST_EDGES:
            break
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(EDGES))


def hubs_of(held: Ringed) -> pd.DataFrame:
    """Return the values that join nobody, those of most accounts in the window first, and the meeting places."""
    rows: list[tuple[object, ...]] = []
    component = held.groups.ring
    for kind in held.web.kinds:
        active = held.accounts[kind.account] & kind.hub[kind.value]
        in_window = np.bincount(kind.value[active], minlength=kind.coded.size)
        top = np.argsort(-in_window, kind="stable")[:MOST_HUBS]
        top = top[in_window[top] > 1]
        names = kind.coded.written(top) if len(top) else []
        at = (
            np.flatnonzero(held.current & (kind.coded.codes >= 0))
            if len(kind.coded.codes) == len(held.current)
            else None
        )
        for value, name in zip(top.tolist(), names, strict=True):
            accounts = kind.account[active & (kind.value == value)]
            own = component[accounts]
            groups = len(np.unique(own[own >= 0])) + int((own < 0).sum())
            events = at[kind.coded.codes[at] == value] if at is not None else np.zeros(0, dtype=np.intp)
            frauds, labelled = int(held.fraud[events].sum()), int((held.fraud | held.good)[events].sum())
            reason = f"joins {int(kind.degree[value]):,} accounts, more than {kind.limit:,}: {kind.reason}"
            joined = int(kind.degree[value]), int(in_window[value]), groups
            rows.append((name, kind.name, *joined, len(events), frauds, labelled, reason))
    rows.sort(key=lambda row: (-int(str(row[3])), str(row[1]), str(row[0])))
    rows = rows[:MOST_HUBS]
    for place in held.web.places:
        used = held.accounts[place.account]
        named = held.current & (place.coded.codes >= 0)
        rows.append(
            ("(all values)", place.name, int(place.degree.max(initial=0)), len(np.unique(place.account[used])),
             len(np.unique(place.value[used])), int(named.sum()), int((held.fraud & named).sum()),
             int(((held.fraud | held.good) & named).sum()), place.reason)
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(HUBS))


def rings_page(rings: pd.DataFrame, members: pd.DataFrame, *, currency: str, zone: str) -> tuple[str, pd.DataFrame]:
    """Return the rings as a reader's table: ids masked, moments local."""
    met = members[members["role"] == "meeting"].set_index("ring")["entity"].astype(str).to_dict()
    rows = []
    for row in rings.to_dict("records"):
        frauds, rest = int(row["frauds"]), row["share_elsewhere"]
        seen = pd.Timestamp(row["first_seen"]).tz_localize("UTC").tz_convert(zone)
        share = ranged(row["fraud_share"], row["fraud_share_lower"], row["fraud_share_upper"], unit="share")
        rows.append(
            {
                "ring": row["ring"],
                "who": "; ".join(
                    part for part in (row["evidence"] or f"{int(row['members']):,} linked", joined(row)) if part
                ),
                "meets": masked_in(str(row["meeting"]), met.get(row["ring"], "")) or NONE,
                "events": int(row["events"]),
                "money": ranged(row["money"], unit="money", currency=currency),
                "fraud told": f"{frauds:,}: {share}" if frauds else share,
                "that is": str(row["told"]) + (f" ({ranged(rest, unit='share')})" if pd.notna(rest) else ""),
                "first seen": f"{moment(seen)} ({row['kind']})",
            }
        )
    return "Rings, the suspicious first; local times, ids masked", pd.DataFrame(rows)


def hubs_page(hubs: pd.DataFrame, *, look: Sequence[str] = ()) -> tuple[str, pd.DataFrame]:
    """Return the values with most accounts of the window that join nobody, masked, those to be looked at marked."""
    shown = hubs.head(5)
    told = [
        f"{frauds:,} of {n:,} verdicts ({ranged(frauds / n, unit='share')})" if n else NONE
        for frauds, n in zip(shown["frauds"], shown["labelled"], strict=True)
    ]
    named = set(look)
    frame = pd.DataFrame(
        {
            "column": shown["column"],
            "value": [name if name == "(all values)" else masked(str(name)) for name in shown["value"]],
            "accounts": shown["degree"],
            "of them in the window": shown["in_window"],
            "events": shown["events"],
            "told fraud": told,
            "mark": ["look: may be the fraud itself" if str(name) in named else "" for name in shown["value"]],
        }
    )
    caption = f"Values that too many share join nobody, but can be the fraud themselves; the first {len(shown)}, masked"
    return caption, frame


def burdened(hubs: pd.DataFrame, *, frauds: int, labelled: int) -> list[str]:
    """Return hubs that bear more fraud than chance allows among all that are listed: they join nobody, but look."""
    from scipy.stats import hypergeom

    held = hubs[hubs["value"] != "(all values)"]
    if not len(held) or not frauds:
        return []
    x, n = held["frauds"].to_numpy(dtype=np.int64), held["labelled"].to_numpy(dtype=np.int64)
    chance = hypergeom.sf(x - 1, max(labelled, 1), frauds, n) * len(held)
    return [str(value) for value in held["value"].to_numpy()[chance < CHANCE]]
