"""How is HTML read and written again with only some of it changed? Tag by tag, all else letter by letter."""

from __future__ import annotations

from html import escape, unescape
from html.entities import html5
from html.parser import HTMLParser

#: Elements whose content is no text of the page.
_RAW = frozenset(("script", "style"))
#: Elements that a line of text goes on through.
INLINE = frozenset(
    "a abbr b bdi cite code del em i ins kbd mark q s samp span strong sub sup tt u var wbr font big".split()
)

Attributes = list[tuple[str, str | None]]


class Rewriter(HTMLParser):
    """Reads HTML and writes it again; a subclass changes tags and texts on the way. What is unchanged stays as it is.

    `written` holds the HTML when it was fed and closed. Comments are left out.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self._parts: list[str] = []
        self._text: list[str] = []
        self._raw = ""

    def rewritten(self, html: str) -> str:
        """Return the HTML as this makes it."""
        self.feed(html)
        self.close()
        self._flush()
        return "".join(self._parts)

    def tag(self, name: str, attributes: Attributes) -> Attributes | None:  # noqa: ARG002 a subclass reads them
        """Return the attributes that a tag has instead, or None when it stays as it is."""
        return None

    def end(self, name: str) -> str:
        """Return the name that an end tag has instead."""
        return name

    def start(self, name: str) -> str:
        """Return the name that a start tag has instead."""
        return name

    def text(self, text: str) -> str:
        """Return what stands instead of a text."""
        return text

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        """Write a start tag."""
        self._flush()
        name, changed, as_it_was = self.start(tag), self.tag(tag, list(attrs)), self.get_starttag_text() or ""
        if changed is None and name == tag:
            self._parts.append(as_it_was)
        else:
            held = attrs if changed is None else changed
            told = "".join(f" {key}" if value is None else f' {key}="{escape(value)}"' for key, value in held)
            self._parts.append(f"<{name}{told}{'/' if as_it_was.endswith('/>') else ''}>")
        if tag in _RAW:
            self._raw = tag

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        """Write a tag that closes itself."""
        self.handle_starttag(tag, attrs)
        self._raw = ""

    def handle_endtag(self, tag: str) -> None:
        """Write an end tag."""
        self._flush()
        self._raw = ""
        self._parts.append(f"</{self.end(tag)}>")

    def handle_data(self, data: str) -> None:
        """Keep a text until the next tag."""
        if self._raw:
            self._parts.append(data)
        else:
            self._text.append(data.replace("<", "&lt;"))  # what stands between may go, and must not make a tag of it

    def handle_entityref(self, name: str) -> None:
        """Keep a named letter; what is the name of none is the text that it looks like."""
        self._text.append(f"&{name};" if f"{name};" in html5 else f"&amp;{name}")

    def handle_charref(self, name: str) -> None:
        """Keep a numbered letter."""
        self._text.append(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        """Write what comes before the page."""
        self._flush()
        self._parts.append(f"<!{decl}>")

    def _flush(self) -> None:
        if self._text:
            held = "".join(self._text)
            self._text = []
            plain = unescape(held)
            told = self.text(plain)
            self._parts.append(held if told == plain else escape(told, quote=False))
