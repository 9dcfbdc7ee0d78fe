"""What does a reviewer sign? A change of a rule book with its expected effect, its assumptions and its checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from riskbench.display import Fact, Grounds, Result, result
from riskbench.display.page import html_page, markdown_page, save_page
from riskbench.display.result import json_safe
from riskbench.errors import DataError, ParameterError, listed
from riskbench.metrics.costs import Costs
from riskbench.rules.comparison.comparison import Comparison, compare
from riskbench.rules.comparison.picture import draw_flips, picture_height
from riskbench.rules.comparison.request_content import shown
from riskbench.rules.comparison.request_page import IN_ALL, sections
from riskbench.rules.comparison.signing import SignedChange, sign
from riskbench.rules.doors import wanted
from riskbench.rules.simulation import Simulation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The form of the machine-readable content; a later one gets another number.
FORMAT = 1
_TABLES = (
    "effect",
    "rules",
    "matrix",
    "mcnemar",
    "bounds",
    "ways",
    "inference",
    "regions",
    "largest",
    "assumptions",
    "unmeasured",
    "remarks",
)


@result
class ChangeRequest(Result):
    """A page that a reviewer can sign: what changes in the rules, what it is expected to do, and how sure that is.

    `.page` is the page as self-contained HTML, `.markdown` the same as Markdown, `.save(path)` writes either,
    `.sign(reviewer=..., decision=...)` signs it. `.checksum` is the hash of all that is shown.

    Attributes
    ----------
    effect : DataFrame
        What is expected: measure, per ("week", "day", "window", or empty for a rate), before, after, change, lower,
        upper (95 %, paired), n (events that the two books treat differently).
    rules : DataFrame
        What changes in the book, one sentence a row: change.
    matrix, mcnemar, bounds, ways, inference : DataFrame
        As in the comparison; `ways` is the change in net value in all, told thrice.
    regions : DataFrame
        The regions in which any event flips, the one that loses most first: region, flips, frauds_alerted, insults,
        net_value with interval, q_value, reading; changes in all, over the events told on, not a week.
    largest : DataFrame
        The ten flips of the largest value, ids masked: event, before, after, rule, condition, label, amount.
    assumptions : DataFrame
        The stated costs: cost, value, meaning.
    unmeasured : DataFrame
        What is not measurable, and why: what, why.
    remarks : DataFrame
        What a reader must know of the comparison and the events: remark.
    name, reason, requested_by : str
        What it is called, why it is asked for, and who asks; the last may be empty.
    answer, why : str
        Whether the proposed book is better, by the interval of net value.
    told : str
        By which of the ways: "counted", "estimated" or "bounded".
    chosen_on, reported_on : str
        On which events the change was chosen, and on which its effect is told.
    events, flips : int
        The events of that window, and how many change their outcome.
    book_before, book_after, dataset, label_recipe, asof : str
        Hashes of both books, fingerprint of the events, and which labels counted.
    book_yaml : str
        The proposed book; values of its lists left out.
    """

    kind: ClassVar[str] = "change_request"
    title: ClassVar[str] = "Change request"
    main: ClassVar[str] = "effect"
    repr_rows: ClassVar[int] = 20
    repr_tables: ClassVar[tuple[str, ...]] = ("rules", "regions", "assumptions", "unmeasured", "remarks")
    next_step: ClassVar[str] = '.save("change.html") for a reviewer; .sign(reviewer=..., decision="approve")'

    effect: pd.DataFrame
    rules: pd.DataFrame
    matrix: pd.DataFrame
    mcnemar: pd.DataFrame
    bounds: pd.DataFrame
    ways: pd.DataFrame
    inference: pd.DataFrame
    regions: pd.DataFrame
    largest: pd.DataFrame
    assumptions: pd.DataFrame
    unmeasured: pd.DataFrame
    remarks: pd.DataFrame
    name: str
    reason: str
    requested_by: str
    answer: str
    why: str
    told: str
    chosen_on: str
    reported_on: str
    events: int
    flips: int
    currency: str
    book_before: str
    book_after: str
    dataset: str
    label_recipe: str
    asof: str
    book_yaml: str

    def headline(self) -> tuple[Fact, ...]:
        """Return whether it is better, by how much, and what it does to frauds, good customers and reviewers."""
        facts = [Fact("Is the proposed book better?", self.answer, "text", note=self.why)]
        rows = {row["measure"]: row for row in self.effect.to_dict("records")}
        for measure, unit in (
            ("net value", "money"),
            ("frauds alerted", "average"),
            ("good events held or stopped", "average"),
            ("reviews", "average"),
        ):
            row = rows.get(f"{measure}, {self.told}") or rows.get(measure)
            if row is not None:
                facts.append(_fact(row, unit, currency=self.currency, why=self.why))
        facts.append(Fact("Events that flip", self.flips, "count", n=self.events, note=f"of {self.events:,}"))
        return tuple(facts)

    @property
    def drawable(self) -> bool:
        """Whether any event flips."""
        return self.flips > 0

    @property
    def height(self) -> float:
        """The picture's height in inches: by the number of bars."""
        return picture_height(self.matrix)

    def _draw(self, ax: Axes) -> None:
        draw_flips(ax, self.matrix)

    @property
    def content(self) -> dict[str, Any]:
        """All that is shown and where it came from, as plain values."""
        made = {name: value for name, value in self.provenance.items() if name not in ("request", "seconds")}
        told: dict[str, Any] = {"format": FORMAT, "made": json_safe(made)}
        told |= {name: getattr(self, name) for name in _scalars()}
        told["grounds"] = self.grounds.to_dict() if self.grounds is not None else None
        told["tables"] = {name: _plain_table(getattr(self, name)) for name in _TABLES}
        return told

    @property
    def checksum(self) -> str:
        """The hash of all that is shown, counted anew each time: any altered figure, word or rule changes it."""
        text = json.dumps(self.content, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def sign(
        self, *, reviewer: str, decision: str, note: str = "", at: str | pd.Timestamp | None = None
    ) -> SignedChange:
        """Return the reviewer's decision, bound to all that this request shows.

        Read a signature as a seal against change, not as a proof of who signed: anybody can write a name.

        Parameters
        ----------
        reviewer : str
            Who decides; whoever asks for the change cannot approve it.
        decision : {"approve", "reject", "revise"}
            What is decided.
        note : str
            A remark.
        at : str or Timestamp, optional
            When; without a zone it is UTC. Now, when not given.

        Raises
        ------
        ParameterError
            For another decision, an empty name, or the approval of one's own request.
        """
        return sign(self, reviewer=reviewer, decision=decision, note=note, at=at)

    @property
    def page(self) -> str:
        """The page as self-contained HTML: no script, nothing from the network, for screens and for A4."""
        return self._html(None)

    @property
    def markdown(self) -> str:
        """The page as Markdown."""
        return self._markdown(None)

    def save(self, path: str | Path, *, signed: SignedChange | None = None) -> Path:
        """Write the page to a file that ends in .html or .md, and return its path.

        Parameters
        ----------
        path : str or Path
            The file; it is replaced whole.
        signed : SignedChange, optional
            The decision to fill in; without it the lines are left empty, to be signed by hand.

        Raises
        ------
        ParameterError
            When the file ends otherwise, cannot be written, or the signature is of another request.
        """
        if signed is not None:
            wanted(signed, "SignedChange", name="signed")
        if signed is not None and not signed.verify(self):
            raise ParameterError("The signature is not of this request", hint="what was signed is not what is shown")
        makes = {".html": lambda: self._html(signed), ".md": lambda: self._markdown(signed)}
        return save_page(path, makes | {".htm": makes[".html"]})

    def _html(self, signed: SignedChange | None) -> str:
        return html_page(self.name, sections(self, signed), about=self.title, facts=self.headline(), foot=self._foot())

    def _markdown(self, signed: SignedChange | None) -> str:
        parts = sections(self, signed)
        return markdown_page(self.name, parts, about=self.title, facts=self.headline(), foot=self._foot())

    def _foot(self) -> str:
        return f"Checksum {self.checksum}. Made by riskbench {self.provenance['version']}."

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> ChangeRequest:
        """Return a request from what `to_dict` gave, when it is whole.

        Every part is compared with what the sealed content says: the headline, the tables, the notes, and where it
        came from. Only the seconds that it took are not sealed.

        Raises
        ------
        DataError
            When it is no change request, or was altered.
        """
        provenance = told.get("provenance") if isinstance(told, Mapping) else None
        held = provenance.get("request") if isinstance(provenance, Mapping) else None
        if not isinstance(held, Mapping) or held.get("format") != FORMAT:
            raise DataError("This is no change request", hint="hand over what .to_dict() gave")
        try:
            tables = {name: _table(held["tables"][name]) for name in _TABLES}
            values = {name: held[name] for name in _scalars()}
            said = held["grounds"]
            grounds = None if said is None else Grounds(**{name: str(line) for name, line in said.items()})
        except (KeyError, TypeError, ValueError, AttributeError):
            raise DataError("The change request is not whole") from None
        wrong = [name for name, kind in _scalars().items() if type(values[name]).__name__ != kind]
        if wrong:
            raise DataError("The change request is not whole", got=listed(wrong))
        made = _made(cls, values, tables, dict(provenance or {}), grounds=grounds)
        if made.checksum != held.get("checksum"):
            raise DataError(
                "The change request was altered", got=made.checksum[:12], allowed=str(held.get("checksum"))[:12]
            )
        whole = json.loads(json.dumps(made.to_dict(), allow_nan=False))
        wrong = [name for name, part in whole.items() if not _alike(part, told.get(name))]
        wrong += [str(name) for name in told if name not in whole]
        if wrong:
            raise DataError("The change request was altered", got=listed(wrong), hint="hand over what .to_dict() gave")
        return made


def request_change(
    before: Simulation,
    after: Simulation,
    *,
    reason: str,
    chosen_on: str | None = None,
    reported_on: str | None = None,
    costs: Costs | Mapping[str, float] | None = None,
    requested_by: str | None = None,
    title: str | None = None,
) -> ChangeRequest:
    """Return the page on which a reviewer signs that the book of `after` replaces that of `before`.

    Use it when a change is to go live. Simulate both books on events on which the change was not chosen, and say in
    `chosen_on` on which it was: an effect told on the events that chose it is flattering.

    Parameters
    ----------
    before, after : Simulation
        Simulations of one dataset: the window on which the effect is told.
    reason : str
        Why the change is asked for.
    chosen_on, reported_on : str, optional
        The window on which the change was chosen, and what the events of the simulations are, in words.
    costs : Costs or mapping, optional
        The stated costs of net value; those of both simulations without it.
    requested_by, title : str, optional
        Who asks, and what the request is called.

    Returns
    -------
    ChangeRequest
        Tables `effect`, `rules`, `matrix`, `mcnemar`, `bounds`, `ways`, `inference`, `regions`, `largest`,
        `assumptions`, `unmeasured`.

    Raises
    ------
    ParameterError
        When a text is empty, too long or no text, a cost does not exist, or the simulations state different costs.
    DataError
        When the two simulations are of different events, or read their labels or days differently.

    Examples
    --------
    >>> import pandas as pd, riskbench as rb
    >>> events = rb.read(
    ...     pd.DataFrame({"id": [1, 2, 3], "amount": [10.0, 700.0, 900.0], "fraud": [0, 0, 1]}),
    ...     roles=rb.Roles(id="id", amount="amount", label="fraud"),
    ... )
    >>> book = rb.RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... rules:
    ...   - {id: TX-1, when: "amount > :limit", params: {limit: 500}, outcome: review, status: live}
    ... ''')
    >>> after = rb.simulate(book.with_params({"TX-1": {"limit": 800}}), events)
    >>> asked = rb.request_change(rb.simulate(book, events), after, reason="Too many good customers are reviewed")
    >>> asked.frame("rules")["change"].tolist()
    ['TX-1: limit 500 -> 800']
    >>> signed = asked.sign(reviewer="Bo", decision="revise", note="one event is no evidence", at="2026-02-01")
    >>> signed.verify(asked)
    True
    """
    held = compare(before, after, costs=costs)
    return make_request(
        held, reason=reason, chosen_on=chosen_on, reported_on=reported_on, requested_by=requested_by, title=title
    )


def make_request(
    held: Comparison,
    *,
    reason: str,
    chosen_on: str | None,
    reported_on: str | None,
    requested_by: str | None,
    title: str | None,
) -> ChangeRequest:
    """Return a comparison as a request."""
    values, tables = shown(
        held, reason=reason, chosen_on=chosen_on, reported_on=reported_on, requested_by=requested_by, title=title
    )
    return _made(ChangeRequest, values, tables, held.provenance, grounds=held.grounds)


def _made(
    kind: type[ChangeRequest],
    values: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    provenance: Mapping[str, Any],
    *,
    grounds: Grounds | None,
) -> ChangeRequest:
    rest = {name: value for name, value in provenance.items() if name not in ("request", "sql")}
    parts: dict[str, Any] = {**values, **tables}
    bare = kind(**parts, grounds=grounds, provenance=rest)
    content = {**bare.content, "checksum": bare.checksum}
    pages = {"regions": (f"Regions. {IN_ALL}", bare.regions)}
    return kind(**parts, grounds=grounds, notes=_notes(bare), pages=pages, provenance={**rest, "request": content})


def _notes(held: ChangeRequest) -> tuple[str, ...]:
    chosen = held.chosen_on or "not told; if on the events below, the effect is flattering"
    return (
        f"Reason: {held.reason}",
        f"Chosen on: {chosen}.",
        f"Reported on: {held.reported_on}.",
        f"Checksum {held.checksum}.",
    )


def _fact(row: Mapping[Any, Any], unit: Any, *, currency: str, why: str) -> Fact:
    per = f" a {row['per']}" if row["per"] in ("week", "day") else ""
    measure, _, way = str(row["measure"]).partition(", ")
    name = f"Change in {measure}{per}"
    if row["change"] is None or np.isnan(row["change"]):
        return Fact(name, None, unit, n=0, note=why)
    value, low, high = (float(row[end]) for end in ("change", "lower", "upper"))
    money = currency if unit == "money" else ""
    return Fact(name, value, unit, lower=low, upper=high, n=int(row["n"]), currency=money, signed=True, note=way)


def _scalars() -> dict[str, str]:
    """Return the names and types of what is no table."""
    skipped = {spec.name for spec in fields(Result)} | set(_TABLES)
    return {spec.name: str(spec.type) for spec in fields(ChangeRequest) if spec.name not in skipped}


def _plain_table(frame: pd.DataFrame) -> dict[str, list[Any]]:
    rows = [[_plain(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return {"columns": [str(name) for name in frame.columns], "rows": rows}


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if isinstance(value, bool | int | str) else str(value)


def _alike(mine: Any, theirs: Any) -> bool:
    """Return whether two JSON values say the same; 1 and 1.0 do, 1 and true do not."""
    if isinstance(mine, Mapping):
        same = isinstance(theirs, Mapping) and mine.keys() == theirs.keys()
        return same and all(_alike(value, theirs[name]) for name, value in mine.items())
    if isinstance(mine, list):
        same = isinstance(theirs, list | tuple) and len(mine) == len(theirs)
        return same and all(map(_alike, mine, theirs))
    return isinstance(mine, bool) == isinstance(theirs, bool) and bool(mine == theirs)


def _table(held: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(held["rows"]), columns=list(held["columns"]))
