"""How is an id shown to a reader? So that it can be told from others on the page, and nobody can look it up."""

from __future__ import annotations


def masked(identity: str) -> str:
    """Return an id that a reader can tell from others on the page, and nobody can look up.

    >>> masked("SEL-0012345"), masked("ana"), masked("ana@shop.example")
    ('SEL…45', '…', 'ana…le')
    """
    return f"{identity[:3]}…{identity[-2:]}" if len(identity) > 6 else "…"
