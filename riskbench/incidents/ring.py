"""Who is in one ring, what do they share, why is it told, and what honest people could it be?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from riskbench.display import Fact, Result, number, result
from riskbench.display.mask import masked
from riskbench.errors import ParameterError
from riskbench.incidents.reading import masked_in, moment
from riskbench.incidents.ring_tables import EDGES, MEMBERS, joined, noun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: So many stand in one column of the picture as they are; beyond, those who are tied alike stand together.
COLUMN = 30
_ROW = 0.26
#: Whom else a shared value of such a column ties: honest people who look like a ring.
_HONEST = (
    (("address", "home", "zip", "postal", "street"), "a boarding house, a village or a pick-up point has one address"),
    (("ip", "network"), "a mobile carrier or an office puts many people behind one network address"),
    (("bank", "iban", "payout", "payee"), "an agency collects for many creators or sellers on one account"),
    (("device", "phone", "fingerprint"), "a family or an internet café shares one device"),
    (("card", "wallet", "payment"), "a family or a company pays with one card"),
    (("voucher", "campaign", "seller", "live"), "a sale brings many customers at once"),
)


@result
class Ring(Result):
    """One ring of linked accounts.

    Attributes
    ----------
    ring : int or None
        Its number, the suspicious rings first; None where there is no ring.
    members : DataFrame
        Who and what belongs to it: entity (the full id), column, role (`account`, `shared`, `meeting`), events,
        evidence. Pages show ids masked.
    shared : DataFrame
        What they share: value, column, accounts, events; what most share first.
    links : DataFrame
        Each link: a, b, evidence, events, since.
    suspicious : bool
        Whether it bears more fraud, or more of the measure, than chance allows among all rings.
    told, made_of : str
        What the verdicts say, and what its accounts share, in words.
    honest : tuple of str
        What honest people would look alike.
    """

    kind: ClassVar[str] = "ring"
    title: ClassVar[str] = "Ring"
    main: ClassVar[str] = "members"
    repr_rows: ClassVar[int] = 12
    repr_tables: ClassVar[tuple[str, ...]] = ("shared",)
    next_step: ClassVar[str] = '.frame("members") has the full ids; entities.why(a, b) tells why two are linked'

    ring: int | None
    members: pd.DataFrame
    shared: pd.DataFrame
    links: pd.DataFrame
    suspicious: bool
    told: str
    made_of: str
    honest: tuple[str, ...]
    facts: tuple[Fact, ...]

    def headline(self) -> tuple[Fact, ...]:
        """Return whether it is suspicious, how large it is and how it fares."""
        return self.facts

    @property
    def drawable(self) -> bool:
        """Whether its links are known."""
        return len(self.links) > 0

    @property
    def height(self) -> float:
        """The picture's height in inches: by the longer column."""
        longest = max(self.links["a"].nunique(), self.links["b"].nunique(), 6)
        return 1.6 + _ROW * min(COLUMN, longest)

    @property
    def alt(self) -> str:
        """The picture in words."""
        if self.ring is None:
            return "No ring was found."
        most = self.shared.head(3)
        ties = [
            f"one {noun(str(column), 1)} ties {accounts:,} of them"
            for column, accounts in zip(most["column"], most["accounts"], strict=True)
        ]
        return f"Ring {self.ring}: {self.made_of}. {'; '.join([self.told.capitalize(), *ties])}."

    def _draw(self, ax: Axes) -> None:
        from riskbench.incidents.ring_picture import draw, gathered

        account = str(self.members["column"].iloc[0])
        told = gathered(self.links, most=COLUMN, account=account)
        under = self.members["entity"].astype(str).isin(told.gone) & (self.members["role"] == "account")
        top = pd.Series({"ring": self.ring, "evidence": self.made_of})
        draw(ax, told.links, members=self.members[~under], top=top, most=COLUMN, told=told)


def ring_of(
    rings: pd.DataFrame,
    members: pd.DataFrame,
    edges: pd.DataFrame,
    *,
    number: object,
    source: Result,
    currency: str,
    time_zone: str = "UTC",
) -> Ring:
    """Return one ring of those that were found.

    Parameters
    ----------
    rings, members, edges : DataFrame
        As an answer on entities holds them.
    number : int or None
        The ring's number; None for the answer where there is no ring.
    source : Result
        The answer that they are of.
    currency : str
        The ISO code of the money.
    time_zone : str
        Where the clocks go by which moments are told.

    Raises
    ------
    ParameterError
        When there is no ring of that number.
    """
    if number is None:
        return _none(source)
    number = numbered(rings, number)
    row: Mapping[Any, Any] = rings[rings["ring"] == number].iloc[0].to_dict()
    mine, links = (
        held[held["ring"] == number].drop(columns="ring").reset_index(drop=True) for held in (members, edges)
    )
    shared = _shared(mine, links)
    honest = _honest(row, shared)
    return Ring(
        ring=number,
        members=mine,
        shared=shared,
        links=links,
        suspicious=bool(row["suspicious"]),
        told=str(row["told"]),
        made_of=str(row["evidence"]) or f"{int(row['members']):,} accounts are linked",
        honest=honest,
        facts=_facts(row, currency, time_zone),
        pages=_pages(mine, shared, links),
        notes=(*_notes(row, mine, links), *honest),
        provenance=dict(source.provenance),
    )


def numbered(rings: pd.DataFrame, number: object) -> int:
    """Return the number of a ring that there is.

    Raises
    ------
    ParameterError
        When there is no ring of that number.
    """
    if hasattr(number, "item") and not isinstance(number, bool):
        number = number.item()
    if type(number) is not int or number not in set(rings["ring"].tolist()):
        allowed = f"1 to {len(rings)}" if len(rings) else "there is no ring"
        raise ParameterError("There is no such ring", got=repr(number)[:80], allowed=allowed)
    return number


def _none(source: Result) -> Ring:
    bare = pd.DataFrame(columns=[name for name in MEMBERS if name != "ring"])
    links = pd.DataFrame(columns=[name for name in EDGES if name != "ring"])
    return Ring(
        ring=None,
        members=bare,
        shared=_shared(bare, links),
        links=links,
        suspicious=False,
        told="no ring was found",
        made_of="",
        honest=(),
        facts=(Fact("Rings", 0, "count"),),
        notes=("No ring was found.", *source.notes),
        provenance=dict(source.provenance),
    )


def _shared(members: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Return what a ring's accounts share, what most of them share first."""
    held = members[members["role"] == "shared"]
    ties = links.groupby(["evidence", "b"], sort=False)["a"].nunique()
    frame = pd.DataFrame(
        {
            "value": held["entity"],
            "column": held["column"],
            "accounts": [
                int(ties.get(key, 0)) or int(str(words).split(" ", 1)[0])
                for key, words in zip(zip(held["column"], held["entity"], strict=True), held["evidence"], strict=True)
            ],
            "events": held["events"],
        }
    )
    return frame.sort_values(["accounts", "column", "value"], ascending=[False, True, True]).reset_index(drop=True)


def _facts(row: Mapping[Any, Any], currency: str, zone: str) -> tuple[Fact, ...]:
    share, rest = row["fraud_share"], row["share_elsewhere"]
    money = None if pd.isna(row["money"]) else float(row["money"])
    known = pd.notna(share)
    seen = pd.Timestamp(row["first_seen"]).tz_localize("UTC").tz_convert(zone)
    return (
        Fact("Suspicious", "yes" if row["suspicious"] else "no", "text", note=str(row["told"])),
        Fact("Accounts", int(row["members"]), "count", note=joined(row)),
        Fact("Events of the window", int(row["events"]), "count", note=f"{int(row['frauds']):,} told as fraud"),
        Fact("Money of them", money, "money", currency=currency, note="" if money is not None else "no amount"),
        Fact(
            "Fraud told", float(share) if known else None, "share",
            lower=float(row["fraud_share_lower"]) if known else None,
            upper=float(row["fraud_share_upper"]) if known else None,
            n=int(row["frauds"] + row["good"]),
            note=f"elsewhere {number(float(rest), 'share')}" if known and pd.notna(rest) else "" if known
            else "no verdict yet",
        ),
        Fact("First seen", f"{moment(seen)} {zone}", "text", note=_KINDS.get(str(row["kind"]), "")),
    )  # fmt: skip


_KINDS = {
    "new": "nothing before the window",
    "faster": "more than its own earlier pace",
    "standing": "there before, at its usual pace",
}


def _honest(row: Mapping[Any, Any], shared: pd.DataFrame) -> tuple[str, ...]:
    """Return what honest people would look like this ring, by what it shares and how it fares."""
    notes = [] if row["suspicious"] else ["Dense is not fraud: it bears no more fraud than chance allows."]
    if row["kind"] == "standing":
        notes.append("It was there before the window, at its usual pace: households and agencies are like this.")
    for words, said in _HONEST:
        columns = dict.fromkeys(str(name) for name in shared["column"])
        if any(word in name.lower().split("_") or f"{word}s" in name.lower() for name in columns for word in words):
            notes.append(f"Before anybody is judged: {said}.")
    return tuple(notes)


def _notes(row: Mapping[Any, Any], members: pd.DataFrame, links: pd.DataFrame) -> tuple[str, ...]:
    p, q = row["p_value"], row["q_value"]
    notes = []
    if row["suspicious"] and pd.notna(p):
        notes.append(
            f"Chance would give so much fraud to a ring of this size with probability {number(float(p))}; "
            f"of findings like this among all rings looked at, a share of {number(float(q))} would be false."
        )
    unknown = int(row["unlabelled"])
    if unknown:
        notes.append(f"{unknown:,} of {int(row['events']):,} events have no verdict.")
    meeting = members[members["role"] == "meeting"]["entity"].astype(str).tolist()
    if row["meeting"]:
        notes.append(f"{masked_in(str(row['meeting']), meeting[0] if meeting else '')}.")
    if not len(links):
        notes.append("Its links are not held: the answer keeps those of the first rings only.")
    return tuple(notes)


def _pages(members: pd.DataFrame, shared: pd.DataFrame, links: pd.DataFrame) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return the tables as a reader sees them: ids masked, what is shared counted."""
    own = members[members["role"] != "shared"]
    ties = links.groupby(["a", "evidence"], sort=True)["b"].nunique().reset_index()
    words: dict[str, list[str]] = {}
    for account, column, count in zip(ties["a"], ties["evidence"], ties["b"], strict=True):
        words.setdefault(str(account), []).append(f"{int(count):,} {noun(str(column), int(count))}")
    frame = pd.DataFrame(
        {
            "who": [masked(str(name)) for name in own["entity"]],
            "column": own["column"],
            "events": own["events"],
            "shares": [
                ", ".join(words.get(str(name), [])) if role == "account" else str(said)
                for name, role, said in zip(own["entity"], own["role"], own["evidence"], strict=True)
            ],
        }
    )
    told = shared.assign(value=[masked(str(name)) for name in shared["value"]])
    return {
        "members": ("Accounts, ids masked", frame.reset_index(drop=True)),
        "shared": ("What they share, masked", told),
    }
