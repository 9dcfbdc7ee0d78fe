"""Which HTML may stand in a page? Cells may print anything; a page must not run, load or cover anything."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from riskbench.display.steps import MARK

_TAGS = frozenset(
    "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 "
    "hr i img ins kbd li ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u "
    "ul".split()
)
_STYLES = frozenset(
    "background background-color border border-bottom border-collapse border-color border-left border-radius "
    "border-right border-spacing border-top clear color column-gap display flex flex-wrap float font font-family "
    "font-size font-style font-variant font-variant-numeric font-weight gap grid-template-columns height "
    "justify-content letter-spacing line-height margin margin-bottom margin-left margin-right margin-top max-height "
    "max-width min-width opacity overflow-wrap overflow-x padding padding-bottom padding-left padding-right "
    "padding-top row-gap text-align text-decoration text-indent text-transform vertical-align white-space width "
    "word-break".split()
)
_EVERYWHERE = frozenset(("style", "title", "class", "lang", "dir", "role", "aria-label"))
_OF_TAG = {
    "a": frozenset(("href",)),
    "img": frozenset(("src", "alt", "width", "height")),
    "td": frozenset(("colspan", "rowspan", "headers")),
    "th": frozenset(("colspan", "rowspan", "scope", "headers")),
    "col": frozenset(("span",)),
    "ol": frozenset(("start",)),
    "details": frozenset(("open",)),
}
_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*\Z")
_LINK = re.compile(r"(https?://|mailto:|#)", re.IGNORECASE)
_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")
#: What a class may be called in a page: highlighted code only, so that no output takes on the page's own look.
_CODE_CLASS = re.compile(r"(highlight( hl-[a-z0-9]+)?|[a-z]{1,2}[0-9]?|dataframe)\Z")
_PLACE = re.compile(r"[0-9]{1,3}\Z")
_SILENT = re.compile(
    r"<(script|style|iframe|object|template|noscript|svg|math)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL
)
_LARGEST = 20_000_000


def clean(html: object) -> str:
    """Return HTML with only what a page may show: no script, no frame, no form, nothing from the network.

    >>> clean('<b onclick="x()">bold</b><script>steal()</script><img src="https://x.invalid/p.png" alt="p">')
    '<b>bold</b><img alt="p">'
    """
    text = "".join(html) if isinstance(html, list) else str(html)
    if len(text) > _LARGEST:
        return '<p class="unrun">An output of more than 20 MB is not shown.</p>'
    return _cleaned(text)


@lru_cache(maxsize=64)
def _cleaned(text: str) -> str:
    """Return a text clean; a run's two pages show the same outputs."""
    return str(_cleaner().clean(_SILENT.sub("", text)))


@cache
def _cleaner() -> Any:
    from bleach.css_sanitizer import CSSSanitizer  # type: ignore[import-untyped]
    from bleach.sanitizer import Cleaner  # type: ignore[import-untyped]

    class Styles(CSSSanitizer):
        @lru_cache(maxsize=4096)  # noqa: B019 there is one, for good; a table says the same style in every cell
        def sanitize_css(self, style: str) -> str:
            kept = super().sanitize_css(style)
            return "" if re.search(r"url|image|expression|@|\\", kept, re.IGNORECASE) else kept

    return Cleaner(
        tags=_TAGS,
        attributes=_allowed,
        protocols=("http", "https", "mailto", "data"),
        css_sanitizer=Styles(allowed_css_properties=_STYLES),
        strip=True,
        strip_comments=True,
    )


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img" and name == "src":
        return bool(_PICTURE.match(value))
    if tag == "a" and name == "href":
        return bool(_LINK.match(value.strip()))
    if tag == "details" and name in ("class", "data-label", "data-at"):  # a folded table that becomes a slider
        return value == MARK if name == "class" else name == "data-label" or bool(_PLACE.match(value))
    if name == "class":
        return bool(_CODE_CLASS.match(value.strip()))
    return name in _EVERYWHERE or name in _OF_TAG.get(tag, ())


def base64_only(text: object) -> str:
    """Return a picture's bytes as base64, without anything else."""
    return _BASE64.sub("", "".join(text) if isinstance(text, list) else str(text))
