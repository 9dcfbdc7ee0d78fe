"""What may be written down, and what of it may be shown to whom?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from riskbench.display.mask import masked

#: The two parts of a run's id, such as 20261123-5bfbfe1c: it is no telephone number.
_DAY, _TAIL = r"20\d\d[01]\d[0-3]\d", r"[0-9a-f]{8}(?![\w\-])"
_PERSONAL = (
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "[address]"),
    (re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])"), "[IP]"),
    (re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F:]{1,4}(?![\w:])"), "[IP]"),
    (
        re.compile(
            rf"(?<![\w,.])(?!\d{{4}}-\d\d-\d\d)(?!{_DAY}-{_TAIL})(?!(?<={_DAY}-){_TAIL})"
            r"\+?\d(?:[ \-]?\d){8,18}(?![\w,.]\d)"
        ),
        "[number]",
    ),
)


def masked_after(text: str, columns: Iterable[str]) -> str:
    """Return a text in which each value that stands after one of some columns is masked.

    >>> masked_after("city BDG and seller_id SQ7ZNKX0F", ["seller_id"])
    'city BDG and seller_id SQ7…0F'
    """
    names = "|".join(re.escape(name) for name in sorted(columns, key=len, reverse=True))
    if not names:
        return text
    shape = rf"(?<!\w)({names})((?: =)? '?)(?!(?:and|or|is|in|not)\b)([^\s',;()]+)"
    return re.sub(shape, lambda found: found[1] + found[2] + masked(found[3]), text, flags=re.IGNORECASE)


class Scrubber:
    """What takes ids and names out of a text before others read it.

    Parameters
    ----------
    ids : iterable of str
        Every id of a buyer, seller, creator, device, account or ring member that the record knows.
    names : mapping, optional
        What to put in place of a person's name: `{"ana": "the lead"}`.
    """

    def __init__(self, ids: Iterable[str], names: Mapping[str, str] | None = None) -> None:
        self._words = {_folded(who): role for who, role in (names or {}).items()}
        self._words.update((_folded(name), "[id]") for name in ids if len(name) >= 2)
        self._lengths = sorted({len(word) for word in self._words}, reverse=True)

    def __call__(self, text: str) -> str:
        """Return a text with ids, names, addresses and long numbers taken out."""
        text = self._without(text)
        for shape, instead in _PERSONAL:
            text = shape.sub(instead, text)
        return text

    def _without(self, text: str) -> str:
        """Return a text without the known words, wherever one stands by itself; longer ones go first."""
        folded, kept, place, last = _folded(text), [], 0, 0
        while place < len(folded) and self._lengths:
            found = (
                0 if _inside(folded, place) else next((n for n in self._lengths if self._stands(folded, place, n)), 0)
            )
            if found:
                kept += [text[last:place], self._words[folded[place : place + found]]]
                last = place + found
            place += found or 1
        return "".join([*kept, text[last:]])

    def _stands(self, folded: str, place: int, length: int) -> bool:
        return folded[place : place + length] in self._words and not _inside(folded, place + length)


def _folded(text: str) -> str:
    """Return a text in small letters, letter by letter, so that places stay the same."""
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


def _inside(text: str, place: int) -> bool:
    """Return whether a place is inside a word: between two Latin letters or digits. Other scripts have no blanks."""
    return 0 < place < len(text) and _is_latin(text[place - 1]) and _is_latin(text[place])


def _is_latin(letter: str) -> bool:
    return letter.isascii() and letter.isalnum()


def is_program(actor: str) -> bool:
    """Return whether a program wrote it, not a person."""
    return actor == "scan" or actor.startswith("riskbench")


def spoken(roles: Mapping[str, str]) -> dict[str, str]:
    """Return what stands for people by the names that texts give them: whole, before an @, and each part.

    >>> spoken({"ana.putri@shop.example": "the lead"})["putri"]
    'the lead'
    """
    said: dict[str, str] = {}
    for name, role in roles.items():
        if name == role:
            continue
        account = name.partition("@")[0]
        for form in (name, account, *re.split(r"[\s._\-]+", account)):
            if len(form) > 2:
                said.setdefault(form, role)
    return said
