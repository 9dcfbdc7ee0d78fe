"""How is an id shown to a reader? So that it can be told from others on the page, and nobody can look it up."""

from __future__ import annotations

from riskbench.privacy import pseudonym


def masked(identity: str) -> str:
    """Return an id that a reader can tell from others on the page, and nobody can look up.

    What is an e-mail address, a card, a phone, a person's number, a device or an IP address becomes a pseudonym: not
    even its ends are shown.

    >>> masked("SEL-0012345"), masked("ana")
    ('SEL…45', '…')
    >>> masked("ana@shop.example").rpartition("-")[0]
    'mail'
    """
    found = pseudonym(identity)
    if found is not None:
        return found
    return f"{identity[:3]}…{identity[-2:]}" if len(identity) > 6 else "…"
