"""What in a text could tell who somebody is, and how does the text read without it?"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from riskbench.privacy.shapes import ADDRESS, DEVICE, MAIL, SHAPES
from riskbench.privacy.tokens import Key, current_key

#: What a text must hold to hold a detail: a digit, an at sign, or the colons and dashes of an address.
_PERHAPS = re.compile(r"[0-9@]|(?:[A-Fa-f]{2}[:-]){5}|(?:[A-Fa-f]{4}\.){2}|[\[(]at[\])]")
_WORDS = {
    "card number": "(card number hidden)",
    "bank account number": "(bank account hidden)",
    "phone number": "(phone number hidden)",
    "national id": "(national id hidden)",
}
#: How the pseudonym of each kind begins.
_TOKENS = {
    "e-mail address": "mail",
    "card number": "card",
    "bank account number": "account",
    "phone number": "phone",
    "national id": "document",
    "device id": "device",
    "IP address": "ip",
}
#: Marks that are not seen, of other categories than Cf: joiners, variation selectors, fillers and blanks.
_BLANK = frozenset((0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0)).union(
    range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0000, 0xE1000)
)
_DASHES, _SPACES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]"), re.compile("[^\\S\n]")
_AT = re.compile(r" ?(?:@|%40|[\[(]at[\])]) ?")
#: What hiding one detail may bring to light is hidden too; a text that never ends is hidden whole.
_ROUNDS = 4
#: What was found in texts up to this long is remembered.
_REMEMBERED = 2_000


class _Read(dict[int, str | None]):
    """How a reader sees each letter: a digit of any script as ours, and nothing of what is not seen."""

    def __missing__(self, code: int) -> str | None:
        letter = chr(code)
        digit = unicodedata.decimal(letter, None)
        unseen = code in _BLANK or unicodedata.category(letter) == "Cf"
        self[code] = None if unseen else letter if digit is None else str(digit)
        return self[code]


_READ = _Read()


@dataclass(frozen=True, slots=True)
class Finding:
    """One personal detail: what it is and where it stands, not what it says.

    Attributes
    ----------
    kind : str
        e-mail address, card number, bank account number, phone number, national id, device id or IP address.
    start, end : int
        Its first character in the text, and one past its last.
    """

    kind: str
    start: int
    end: int


def find(text: str) -> tuple[Finding, ...]:
    """Return the personal details in a text, in order.

    Use it to ask whether a text may be shown. A number counts where its check digit, its structure or the word before
    it proves what it is; ids, amounts, dates and hashes do not.

    Parameters
    ----------
    text : str
        Any text; not HTML.

    Returns
    -------
    tuple of Finding
        Places that do not overlap.

    Examples
    --------
    >>> [found.kind for found in find("card 4111 1111 1111 1111 of ana@shop.example, order 4111111111111112")]
    ['card number', 'e-mail address']
    """
    return _found(text) if len(text) <= _REMEMBERED else _found.__wrapped__(text)


@lru_cache(maxsize=8192)
def _found(text: str) -> tuple[Finding, ...]:
    """Return what `find` does; the texts of a notebook stand on both pages and are checked once more at the end."""
    if not _PERHAPS.search(text):
        return ()
    spans = []
    for rank, shape in enumerate(SHAPES):
        spans += [(*found.span(), rank) for found in shape.pattern.finditer(text) if shape.proof(found)]
    merged: list[tuple[int, int, int]] = []
    for start, end, rank in sorted(spans):
        if merged and start < merged[-1][1]:
            before = merged[-1]
            merged[-1] = (before[0], max(end, before[1]), min(rank, before[2]))
        else:
            merged.append((start, end, rank))
    return tuple(Finding(SHAPES[rank].kind, start, end) for start, end, rank in merged)


def hide(text: str, *, key: Key | None = None) -> str:
    """Return a text without the personal details in it.

    Cards, bank accounts, phones and national ids become a word; of an e-mail address the domain stays, so that readers
    know a colleague's team from another's. Devices and IP addresses become a pseudonym: the same one for the same
    value under one key.

    Parameters
    ----------
    text : str
        Any text; not HTML.
    key : Key, optional
        What makes pseudonyms; the one in force when not given.

    Returns
    -------
    str
        A text in which `find` finds nothing.

    Examples
    --------
    >>> hide("the card 4111 1111 1111 1111 of order 4111111111111112")
    'the card (card number hidden) of order 4111111111111112'
    >>> hide("from 203.0.113.9 by ana.putri@shop.example", key=Key(b"sixteen bytes or more"))
    'from ip-429381ff by (e-mail at shop.example hidden)'
    """
    text = _hidden(text, key)
    form = text if text.isascii() else seen(text)
    return _hidden(form, key) if form != text and find(form) else text


def _hidden(text: str, key: Key | None) -> str:
    for _ in range(_ROUNDS):
        found = find(text)
        if not found:
            return text
        parts, last = [], 0
        for one in found:
            parts += [text[last : one.start], _word(one.kind, text[one.start : one.end], key)]
            last = one.end
        text = "".join([*parts, text[last:]])
    return "(personal details hidden)" if find(text) else text


def seen(text: str) -> str:
    r"""Return a text as a reader sees it: one form of each digit and dash, nothing that is not seen.

    >>> seen("4111\u200b1111 \uff14\uff11")
    '41111111 41'
    """
    held = text if text.isascii() else unicodedata.normalize("NFKC", text.translate(_READ))
    return _SPACES.sub(" ", _DASHES.sub("-", held))


def pseudonym(value: str, *, key: Key | None = None) -> str | None:
    """Return the pseudonym of a value that is, or holds, a personal detail; None when it holds none.

    >>> pseudonym("203.0.113.9", key=Key(b"sixteen bytes or more")), pseudonym("SEL-0012345")
    ('ip-429381ff', None)
    """
    found = find(value)
    return (key or current_key()).pseudonym(value, _TOKENS[found[0].kind]) if found else None


def _word(kind: str, value: str, key: Key | None) -> str:
    if kind == MAIL:
        return f"(e-mail at {_AT.split(value)[-1]} hidden)"
    if kind in (ADDRESS, DEVICE):
        return (key or current_key()).pseudonym(value, _TOKENS[kind])
    return _WORDS[kind]
