"""Which playbooks are there, what does each answer, and where does it come from?"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from riskbench.display import Fact, Result, result
from riskbench.errors import ParameterError, PlaybookError, RiskbenchError, listed, nearest
from riskbench.runner.places import Place, places, sample_book, shipped_folder
from riskbench.runner.playbook import Playbook, named_id, read_playbook

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Catalogue",
    "Playbook",
    "catalogue",
    "find",
    "find_playbooks",
    "read_playbook",
    "sample_book",
    "shipped_folder",
]

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One notebook in one place: a playbook, or why it is none."""

    id: str
    place: Place
    file: str = ""
    playbook: Playbook | None = None
    error: RiskbenchError | None = None


@result
class Catalogue(Result):
    """The playbooks there are, made by `riskbench.find_playbooks`.

    Attributes
    ----------
    playbooks : DataFrame
        id, title, question, domain, owner, cadence, produces, origin, parameters (how many): one row a playbook.
        `origin` is where it comes from: shipped, workspace, `package NAME` or `folder NAME`.
    shadowed : DataFrame
        id, origin, file, shadowed_by: playbooks that another one of the same id stands before.
    unreadable : DataFrame
        id, origin, file, problem: notebooks that are no playbook, and places that cannot be looked into.
    held : tuple of Playbook
        The playbooks themselves, in the order of the table.
    asked : str
        The words looked for; empty for all.
    near : str
        The playbook or word nearest to what was looked for, when nothing was found.
    """

    kind: ClassVar[str] = "catalogue"
    title: ClassVar[str] = "Playbooks"
    main: ClassVar[str] = "playbooks"
    next_step: ClassVar[str] = ""
    repr_rows: ClassVar[int] = 60
    repr_columns: ClassVar[tuple[str, ...]] = ("id", "title", "question", "domain", "owner", "cadence", "origin")
    repr_tables: ClassVar[tuple[str, ...]] = ("shadowed", "unreadable")

    playbooks: pd.DataFrame
    shadowed: pd.DataFrame
    unreadable: pd.DataFrame
    held: tuple[Playbook, ...] = ()
    asked: str = ""
    near: str = ""

    def headline(self) -> tuple[Fact, ...]:
        """Return how many playbooks there are, and what stands in the way of others."""
        facts = [Fact("Playbooks", len(self.playbooks), "count", note=f"for “{self.asked}”" if self.asked else "")]
        if not len(self.playbooks) and self.near:
            facts.append(Fact("Nearest", self.near, "text"))
        if len(self.unreadable):
            facts.append(Fact("Unreadable", len(self.unreadable), "count"))
        if len(self.shadowed):
            facts.append(Fact("Shadowed", len(self.shadowed), "count"))
        return tuple(facts)

    def search(self, words: str = "", *, domain: str | None = None, owner: str | None = None) -> Catalogue:
        """Return the playbooks that speak of every word, the closest first.

        Looked into are id, title, question, domain, owner, what it reads and produces, and the parameters with their
        help. A word is met by any word that begins with it, in any case.

        Parameters
        ----------
        words : str
            What is looked for; all playbooks when empty.
        domain : str, optional
            Only those that cover this domain.
        owner : str, optional
            Only those whose owner's name holds this text.

        Raises
        ------
        ParameterError
            When no playbook covers the domain, or has such an owner.

        >>> found = find_playbooks().search("cut review rate", domain="kyc")
        >>> found.playbooks["id"].tolist()[0]
        'threshold_calibration'
        >>> find_playbooks().search("tresholds").near
        'threshold'
        """
        held = _of(self.held, "domain", domain)
        held = _of(held, "owner", owner)
        asked = _words(words)
        ranked = [(rank, book) for book in held if (rank := _rank(book, asked)) is not None]
        kept = tuple(book for _, book in sorted(ranked, key=lambda pair: pair[0]))
        near = ""
        if not kept:
            known = dict.fromkeys([*(book.id for book in held), *(word for book in held for word in _spoken(book))])
            near = next((close for word in asked if (close := _close(word, known)) is not None), "")
        told = " ".join(words.split())[:80]
        note = f"No playbook speaks of {told!r}" + (f"; the nearest word is {near!r}." if near else ".")
        rows = self.playbooks.set_index("id", drop=False)
        return replace(
            self,
            playbooks=rows.loc[[book.id for book in kept]].reset_index(drop=True),
            held=kept,
            asked=told,
            near=near,
            notes=self.notes if kept else (*self.notes, note),
            _cache={},
        )

    def playbook(self, name: str) -> Playbook:
        """Return a playbook by its id.

        Raises
        ------
        PlaybookError
            When there is none of that id, or its notebook cannot be read.
        """
        book = next((held for held in self.held if held.id == name), None)
        if book is not None:
            return book
        broken = self.unreadable.loc[self.unreadable["id"] == name, "problem"]
        if len(broken):
            raise PlaybookError(str(broken.iloc[0]))
        ids = [held.id for held in self.held]
        close = nearest(name, ids)
        raise PlaybookError(
            f"There is no playbook {name[:80]!r}",
            allowed=listed(ids),
            hint=f"did you mean {close!r}?" if close else "`riskbench playbooks` lists them",
        )


def find_playbooks(words: str = "", *, domain: str | None = None, owner: str | None = None) -> Catalogue:
    """Return the catalogue: which playbooks there are, what each answers, and where it comes from.

    Use it to see what can be run, and read `origin` to know whose playbook it is. Of two playbooks with one id the
    first counts, in this order: folders of RISKBENCH_PLAYBOOKS, the workspace, those shipped, installed packages; the
    other is listed in `shadowed`. A notebook that cannot be read is listed in `unreadable`, and keeps its name: what
    lies behind it is not run in its stead.

    Parameters
    ----------
    words : str
        Only playbooks that speak of every word; all when empty.
    domain, owner : str, optional
        Only playbooks that cover a domain, or are answered for by somebody.

    Returns
    -------
    Catalogue
        `.playbooks`, `.shadowed`, `.unreadable`; `.search(words)`, `.playbook(id)`.

    Raises
    ------
    ConfigError
        When riskbench.toml is wrong.
    ParameterError
        When no playbook covers the domain, or has such an owner.

    >>> import riskbench as rb
    >>> rb.find_playbooks("incident").playbooks[["id", "origin"]]
                       id   origin
    0  incident_deep_dive  shipped
    1       incident_scan  shipped
    """
    first: dict[str, _Found] = {}
    behind = [found for found in _all() if first.setdefault(found.id, found) is not found]
    held = tuple(book for name in sorted(first) if (book := first[name].playbook) is not None)
    shadowed = [
        {
            "id": found.id,
            "origin": found.place.origin,
            "file": found.file,
            "shadowed_by": f"{first[found.id].place.origin}: {first[found.id].file}",
        }
        for found in behind
    ]
    broken = [found for found in (*first.values(), *behind) if found.error is not None]
    unreadable = [
        {"id": found.id, "origin": found.place.origin, "file": found.file, "problem": _problem(found)}
        for found in broken
    ]
    notes = [
        f"{row['id']} ({row['origin']}: {row['file']}) is not used; {row['shadowed_by']} stands before it."
        for row in shadowed
    ]
    whole = Catalogue(
        playbooks=_frame([_row(book, first[book.id].place.origin) for book in held], _COLUMNS),
        shadowed=_frame(shadowed, ("id", "origin", "file", "shadowed_by")),
        unreadable=_frame(unreadable, ("id", "origin", "file", "problem")),
        held=held,
        notes=tuple(notes),
    )
    return whole if words == "" and domain is owner is None else whole.search(words, domain=domain, owner=owner)


def catalogue() -> tuple[Playbook, ...]:
    """Return every playbook, by id; of two with one id, the one that counts."""
    return find_playbooks().held


def find(name: str | Path) -> Playbook:
    """Return a playbook by its id, or by the path of its notebook.

    Raises
    ------
    PlaybookError
        When there is none, or it cannot be read.
    """
    text = str(name)
    if text.endswith(".ipynb"):
        return read_playbook(Path(text))
    for found in _all():
        if found.id == text:
            if found.playbook is None:
                raise found.error or PlaybookError(f"The playbook {text!r} cannot be read")
            return found.playbook
    return find_playbooks().playbook(text)


def _all() -> Iterable[_Found]:
    """Yield every notebook of every place, those that count first."""
    for place in places():
        if place.folder is None:
            yield _Found(id=place.name, place=place, error=place.error)
            continue
        try:
            paths = sorted(path for path in place.folder.glob("*.ipynb") if not path.name.startswith("."))
        except OSError as error:
            told = PlaybookError(f"The folder {str(place.folder)!r} cannot be read: {error.strerror}")
            yield _Found(id=place.name, place=place, error=told)
            continue
        for path in paths:
            try:
                book = read_playbook(path)
            except RiskbenchError as error:
                yield _Found(id=named_id(path), place=place, file=path.name, error=error)
            else:
                yield _Found(id=book.id, place=place, file=path.name, playbook=book)


_COLUMNS = ("id", "title", "question", "domain", "owner", "cadence", "produces", "origin", "parameters")


def _problem(found: _Found) -> str:
    """Return why a notebook is none, without where it lies: that may tell who somebody is."""
    text = str(found.error)
    return text if found.place.folder is None else text.replace(f"{found.place.folder}{os.sep}", "")


def _row(book: Playbook, origin: str) -> dict[str, object]:
    return {
        "id": book.id,
        "title": book.title,
        "question": book.question,
        "domain": ", ".join(book.domain),
        "owner": book.owner,
        "cadence": book.cadence,
        "produces": ", ".join(book.produces),
        "origin": origin,
        "parameters": len(book.parameters),
    }


def _frame(rows: Sequence[Mapping[str, object]], columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(columns))


def _of(held: tuple[Playbook, ...], name: str, wanted: str | None) -> tuple[Playbook, ...]:
    """Return the playbooks of a domain or an owner."""
    if wanted is None:
        return held
    asked = wanted.casefold().strip()
    known = {book.id: (book.domain if name == "domain" else (book.owner,)) for book in held}
    kept = tuple(
        book
        for book in held
        if any(asked == text.casefold() or (name == "owner" and asked in text.casefold()) for text in known[book.id])
    )
    if not kept or not asked:
        names = sorted({text for texts in known.values() for text in texts if text})
        close = nearest(wanted, names)
        raise ParameterError(
            f"No playbook has the {name} {wanted[:80]!r}",
            allowed=listed(names),
            hint=f"did you mean {close!r}?" if close else None,
        )
    return kept


def _close(word: str, known: Iterable[str]) -> str | None:
    """Return the word that this one is a slip of: it begins alike, and most of its letters are there."""
    return nearest(word, [held for held in known if held[:1].casefold() == word[:1].casefold()], least=0.75)


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for found in _WORD.findall(text.casefold()) for word in found.split("_") if word))


def _spoken(book: Playbook) -> tuple[str, ...]:
    """Return the words of a playbook: those of its name and question first."""
    rest = [*book.domain, book.owner, book.cadence, *book.inputs, *book.produces, *book.steps]
    asked = [f"{parameter.name} {parameter.help}" for parameter in book.parameters]
    return _words(" ".join([book.id, book.title, book.question, *rest, *asked]))


def _rank(book: Playbook, asked: Sequence[str]) -> tuple[int, str] | None:
    """Return how close a playbook is to the words, the closest least; None when it does not speak of one."""
    names, question, all_ = _words(f"{book.id} {book.title}"), _words(book.question), _spoken(book)
    far = 0
    for word in asked:
        layers = (names, question, all_)
        met = next((at for at, spoken in enumerate(layers) if any(held.startswith(word) for held in spoken)), None)
        if met is None:
            return None
        far += met
    return far, book.id
