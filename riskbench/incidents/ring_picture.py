"""What does a ring look like? Its accounts in one column, what they share in the next, a line for each link."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskbench.display.chart import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, YELLOW
from riskbench.display.mask import masked

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
T = TypeVar("T", bound=Hashable)

#: The most that stand in one column; the rest is counted in words.
MOST = 16
#: Marker and colour of each kind of value, by words of its column, alike in every picture; accounts are blue circles.
KINDS = (
    (("address", "home", "zip", "postal", "street"), ("s", ORANGE)),
    (("device", "phone", "fingerprint"), ("^", GREEN)),
    (("card", "wallet", "payment"), ("D", PURPLE)),
    (("ip", "network"), ("v", SKY)),
    (("bank", "iban", "payout", "payee"), ("P", YELLOW)),
)
#: Looks of columns of no such kind.
OTHERS = (("X", RED), ("p", GREY), ("h", "#666666"), ("<", RED), (">", GREY))
ACCOUNT, PLACE = ("o", BLUE), ("*", GREY)


#: The lines to a meeting place end where the words of the accounts begin.
_WORDS_BEGIN = 0.7


def short(name: str, other: str) -> str:
    """Return an id as a picture shows it: masked, or by another name where it is too short for that.

    >>> short("B2MT84H36", "buyer 1"), short("ana", "buyer 3")
    ('B2M…36', 'buyer 3')
    """
    plain = "".join(sign if sign.isprintable() and ord(sign) < 0x250 else "?" for sign in name)
    held = masked(plain)
    return held if len(held) > 1 else other


def looks_of(columns: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return each column's marker and colour: by what it holds, not by its place, so that all pictures agree.

    >>> looks_of(["device_id", "address_id"]) == looks_of(["address_id", "device_id"])
    True
    """
    looks: dict[str, tuple[str, str]] = {}
    for column in sorted(dict.fromkeys(columns)):
        parts = column.lower().split("_")
        known = (look for words, look in KINDS if any(word in parts for word in words))
        used = set(looks.values())
        spare = [look for look in OTHERS if look not in used] or list(OTHERS)
        look = next((look for look in known if look not in used), None)
        looks[column] = look or spare[sum(map(ord, column)) % len(spare)]
    return looks


def ordered(links: list[tuple[str, str]], left: list[str], right: list[str]) -> tuple[list[str], list[str]]:
    """Return both columns in an order in which few lines cross: each by the mean place of what it is tied to."""
    for _ in range(4):
        for turn in (1, 0):
            mine, other = (right, left) if turn else (left, right)
            place = {name: at for at, name in enumerate(other)}
            met: dict[str, list[int]] = {name: [] for name in mine}
            for a, b in links:
                me, them = (b, a) if turn else (a, b)
                if me in met and them in place:
                    met[me].append(place[them])
            was = {name: at for at, name in enumerate(mine)}
            mine.sort(key=lambda name: (float(np.mean(met[name])) if met[name] else was[name], was[name]))
    return left, right


@dataclass(frozen=True, slots=True)
class Gathered:
    """A ring's links with those who are tied alike taken together.

    Attributes
    ----------
    links : DataFrame
        a, b, evidence, events; each group under the name of its first.
    said : mapping of str to str
        The words of each group, by its name in the picture (a value bears its column on a line before it).
    gone : set of str
        The accounts that stand under another's name.
    sizes : mapping of str to int
        How many each group is.
    accounts : mapping of str to int
        How many accounts each value ties.
    """

    links: pd.DataFrame
    said: Mapping[str, str] = field(default_factory=dict)
    gone: AbstractSet[str] = frozenset()
    sizes: Mapping[str, int] = field(default_factory=dict)
    accounts: Mapping[str, int] = field(default_factory=dict)


def gathered(edges: pd.DataFrame, *, most: int, account: str) -> Gathered:
    """Return a ring's links with those who are tied alike taken together, where too many stand in one column.

    Parameters
    ----------
    edges : DataFrame
        a (an account), b (a value), evidence (its column), events.
    most : int
        So many may stand in a column as they are.
    account : str
        The column of the accounts.
    """
    from riskbench.incidents.ring_tables import noun

    columns = (edges["a"], edges["b"], edges["evidence"], edges["events"])
    links = [(str(a), (str(kind), str(b)), int(events)) for a, b, kind, events in zip(*columns, strict=True)]
    said: dict[str, str] = {}
    sizes: dict[str, int] = {}
    met: dict[tuple[str, str], set[str]] = {}
    for a, value, _ in links:
        met.setdefault(value, set()).add(a)
    under = _alike((a, value) for a, value, _ in links) if len({a for a, _, _ in links}) > most else {}
    links = [(under.get(a, a), value, events) for a, value, events in links]
    above = _alike((value, a) for a, value, _ in links) if len({value for _, value, _ in links}) > most else {}
    sums: dict[tuple[str, tuple[str, str]], int] = {}
    for a, value, events in links:
        key = (a, above.get(value, value))
        sums[key] = sums.get(key, 0) + events
    for first in dict.fromkeys(under.values()):
        many = list(under.values()).count(first)
        if many > 1:
            said[first], sizes[first] = f"{many:,} {noun(account, many)}", many
    for kind, first in dict.fromkeys(above.values()):
        many = list(above.values()).count((kind, first))
        if many > 1:
            said[f"{kind}\n{first}"], sizes[f"{kind}\n{first}"] = f"{many:,} {noun(kind, many)}", many
    rows = [(a, b, kind, events) for (a, (kind, b)), events in sums.items()]
    accounts: dict[str, set[str]] = {}
    for value, who in met.items():
        accounts.setdefault("\n".join(above.get(value, value)), set()).update(who)
    return Gathered(
        pd.DataFrame(rows, columns=["a", "b", "evidence", "events"]),
        said,
        {a for a, first in under.items() if a != first},
        sizes,
        {name: len(who) for name, who in accounts.items()},
    )


def _alike(links: Iterable[tuple[T, Hashable]]) -> dict[T, T]:
    """Return under whose name each stands: that of the first of the same column with the same links."""
    met: dict[T, set[Hashable]] = {}
    for mine, other in links:
        met.setdefault(mine, set()).add(other)
    first: dict[Hashable, T] = {}
    return {
        mine: first.setdefault((mine[0] if isinstance(mine, tuple) else "", frozenset(to)), mine)
        for mine, to in sorted(met.items(), key=lambda pair: str(pair[0]))
    }


def draw(
    ax: Axes,
    edges: pd.DataFrame,
    *,
    members: pd.DataFrame,
    top: pd.Series,
    most: int = MOST,
    told: Gathered | None = None,
) -> None:
    """Draw one ring: whom most of its events meet, its accounts, and what these share.

    At most `most` stand in a column; `told` says who stands for several.
    """
    from riskbench.incidents.ring_tables import noun

    told = told or Gathered(edges)
    said = told.said
    accounts = members[members["role"] == "account"]
    values = members[members["role"] == "shared"]
    kinds = list(dict.fromkeys([*values["column"], *edges["evidence"]]))
    looks = looks_of(kinds)
    links = [(str(a), f"{kind}\n{b}") for a, b, kind in zip(edges["a"], edges["b"], edges["evidence"], strict=True)]
    ties = pd.Series([b for _, b in links]).value_counts() if links else pd.Series(dtype=int)
    wanted = sorted(ties.index, key=lambda name: (-int(ties[name]), name))[:most]
    tied = pd.Series([a for a, b in links if b in set(wanted)]).value_counts()
    left = sorted(set(accounts["entity"]), key=lambda name: (-int(tied.get(name, 0)), name))[:most]
    drawn = {b for a, b in links if a in set(left)}
    wanted = [name for name in wanted if name in drawn]
    left, right = ordered([link for link in links if link[1] in set(wanted)], left, list(wanted))
    ax.set_axis_off()
    ax.set_title(f"Ring {top['ring']}: {top['evidence']}", loc="left", fontsize=11, fontweight="bold", parse_math=False)
    heights = {name: y for names in (left, right) for name, y in zip(names, _spread(len(names)), strict=True)}
    meeting = members[members["role"] == "meeting"]
    for place in meeting.itertuples():
        for name in left:
            ax.plot([0, _WORDS_BEGIN], [0.5, heights[name]], color="#CCCCCC", linewidth=0.7, zorder=1)
        ax.scatter([0], [0.5], marker=PLACE[0], s=180, color=PLACE[1], zorder=3, label=noun(str(place.column), 1))
        ax.text(0, 0.5 - 0.05, short(str(place.entity), ""), ha="center", va="top", fontsize=8, parse_math=False)
        ax.text(0, 0.5 - 0.1, f"meets {place.evidence}", ha="center", va="top", fontsize=8, color=GREY)
    for (a, b), events in zip(links, edges["events"], strict=True):
        if a in heights and b in heights:
            colour = looks[b.split("\n", 1)[0]][1]
            width = 0.8 + 0.5 * min(4.0, float(np.log2(1 + events)))
            ax.plot([1, 2], [heights[a], heights[b]], color=colour, linewidth=width, alpha=0.75, zorder=2)
    what = noun(str(accounts["column"].iloc[0])) if len(accounts) else "accounts"
    ax.scatter([1] * len(left), [heights[name] for name in left], marker=ACCOUNT[0], s=55, color=ACCOUNT[1], zorder=3,
               label=what, edgecolors="white")  # fmt: skip
    for kind in kinds:
        mine = [name for name in right if name.split("\n", 1)[0] == kind]
        if mine:
            marker, colour = looks[kind]
            ax.scatter([2] * len(mine), [heights[name] for name in mine], marker=marker, s=65, color=colour, zorder=3,
                       label=noun(kind), edgecolors="#333333", linewidths=0.5)  # fmt: skip
    one = noun(str(accounts["column"].iloc[0]), 1) if len(accounts) else "account"
    for at, name in enumerate(left, 1):
        words = said.get(name) or short(name, f"{one} {at}")
        ax.text(0.96, heights[name], words, ha="right", va="center", fontsize=8, parse_math=False,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8}, zorder=4)  # fmt: skip
    for at, name in enumerate(right, 1):
        column, value = name.split("\n", 1)
        words = said.get(name) or short(value, f"{noun(column, 1)} {at}")
        many = told.accounts.get(name, int(ties[name]))
        ax.text(2.04, heights[name], f"{words} ({many:,})", ha="left", va="center", fontsize=8, parse_math=False)
    for at, names, shown in ((1, set(accounts["entity"]), left), (2, set(ties.index), right)):
        missing = sum(told.sizes.get(str(name), 1) for name in names - set(shown))
        if missing > 0:
            ax.text(at, -0.045, f"and {missing:,} more", ha="center", va="top", fontsize=8, color=GREY)
    ax.set_xlim(-0.3 if len(meeting) else 0.55, 2.5)
    ax.set_ylim(-0.09, 1.05)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=4, frameon=False, fontsize=8, title=None)


def _spread(count: int) -> Floats:
    """Return places from top to bottom, evenly."""
    return np.linspace(1.0, 0.0, count) if count > 1 else np.array([0.5])
