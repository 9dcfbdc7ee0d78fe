"""How does a text that people wrote stand on a page: as text, in one form, and cut to a length?"""

from __future__ import annotations

import re
import unicodedata

from riskbench.config import redact
from riskbench.errors import ParameterError
from riskbench.privacy import hide

#: The most characters of a title, of a line, and of a text.
TITLE, LINE, TEXT = 160, 2_000, 20_000
#: Marks that turn the reading direction or are not seen: they hide what a text says.
_HIDDEN = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]")
_BREAKS = re.compile("\r\n|[\r\u2028\u2029\x85\x0b\x0c]")


def private(text: str) -> str:
    """Return a text as a page may show it: no password, no token, and nothing that tells who somebody is.

    >>> private("asked by ana.putri@shop.example, password=hunter2")
    'asked by (e-mail at shop.example hidden), password=***'
    >>> private("the card 4111 1111 1111 1111 of order 4111111111111112")
    'the card (card number hidden) of order 4111111111111112'
    """
    return hide(redact(text))


def clean(value: object, what: str, *, most: int = LINE, empty: bool = False) -> str:
    """Return a text as it is kept: one form of each letter, no control or hidden characters.

    Raises
    ------
    ParameterError
        When it is no text, is empty, or is longer than `most` characters.
    """
    if not isinstance(value, str):
        raise ParameterError(f"{what} is text", got=type(value).__name__)
    if len(value) > 4 * most:
        raise ParameterError(f"{what} is too long", got=f"{len(value):,} characters", allowed=f"up to {most:,}")
    text = unicodedata.normalize("NFC", value.encode("utf-8", "replace").decode("utf-8"))
    text = _HIDDEN.sub("", _BREAKS.sub("\n", text).replace("\t", " "))
    text = "".join(
        letter for letter in text if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cs", "Co", "Cn")
    ).strip()
    if most <= LINE:
        text = " ".join(text.split())
    if not text and not empty:
        raise ParameterError(f"{what} is empty", hint="say it in a few words")
    if len(text) > most:
        raise ParameterError(f"{what} is too long", got=f"{len(text):,} characters", allowed=f"up to {most:,}")
    return text


def visible(text: str) -> str:
    r"""Return a text whose hidden and control characters are spelled out, so that it says what it looks like.

    >>> visible("amount > 1 \u202e2")
    'amount > 1 \\u202e2'
    """
    held = _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return "".join(
        letter if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cs") else f"\\u{ord(letter):04x}"
        for letter in held
    )


def markdown(text: str) -> str:
    r"""Return a text as Markdown that shows it as it stands: no heading, list, link, tag or picture comes of it.

    >>> print(markdown("# <b>[x](javascript:y)</b> 1. www.a.b"))
    \# &lt;b&gt;\[x\](javascript:y)&lt;/b&gt; 1. www&#46;a.b
    """
    lines = []
    for line in text.split("\n"):
        held = line.strip().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        held = re.sub(r"([\\`*_\[\]|~$])", r"\\\1", held)
        held = re.sub(r"^(\d{1,9})([.)])", r"\1\\\2", re.sub(r"^([#+\-=:])", r"\\\1", held))
        held = held.replace("://", "&#58;//")
        lines.append(re.sub(r"\b(www)\.", r"\1&#46;", held, flags=re.IGNORECASE))
    return "  \n".join(lines)
