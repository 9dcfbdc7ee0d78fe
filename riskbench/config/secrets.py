"""Where do secrets come from, and how do they stay out of everything that is written?"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from riskbench.errors import ConfigError, nearest

MASK = "***"
PREFIX = "env:"

#: What may hold a URL: no blank, no quote; in markup no tag either.
_WORD, _MARKUP = re.compile(r"[^\s'\"]+"), re.compile(r"<[^<>]*>|[^\s'\"<]+|<")
_WHOLE = re.compile(r"\s*[\w+.\-]{0,40}:?//(?P<info>.*)@", re.DOTALL)
#: Credentials that can be read in one way only; all else may be a password in any of its parts.
_PLAIN = re.compile(r"(?P<user>[^:/?#@\s'\"]*)(?::(?P<secret>[^/?#@\s'\"]*))?\Z")
_PARTS = re.compile(r"[:/@?#&=\[\]\s'\"\\]+")
_SETTING = re.compile(
    r"(?P<head>(?:^|[?&;\s])(?:password|passwd|pwd|token|secret|api_?key|access_?key|sslpassword)\s*=\s*)"
    r"(?P<secret>'[^']*'|[^\s&;'\"]+)",
    re.IGNORECASE,
)
#: Shorter secrets are masked where they stand in a URL only: as plain text they are also ordinary words.
_SHORTEST = 3
#: Shorter secrets are masked as whole words only: they also stand inside of words, and of pictures.
_INSIDE = 6


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return text with the credentials of every URL, and every secret named, replaced by `***`.

    Everything from `//` to the last `@` of a word goes, as a password may hold any character; the user stays
    where the rest is plainly the password.

    >>> redact("could not reach postgresql://ana:pa55@db/risk")
    'could not reach postgresql://ana:***@db/risk'
    >>> redact("could not reach postgresql://ana:pa@55/x@db/risk")
    'could not reach postgresql://***@db/risk'
    """
    for secret in sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True):
        if secret in text:
            whole = re.escape(secret)
            whole = whole if len(secret) >= _INSIDE else rf"(?<![^\W_]){whole}(?![^\W_])"
            text = re.sub(whole, MASK, text)
    if "//" in text and "@" in text:
        words = _MARKUP if text.lstrip().startswith("<") else _WORD
        text = words.sub(lambda m: _masked(m[0]), text)
    return _SETTING.sub(lambda m: f"{m['head']}{MASK}", text)


def _masked(word: str) -> str:
    """Return a word with the credentials of a URL in it masked."""
    head, slashes, rest = word.partition("//")
    info, at, place = rest.rpartition("@")
    if not slashes or not at or word.startswith("<"):
        return word
    plain = _PLAIN.match(info)
    if plain is None or not head.endswith(":"):
        return f"{head}//{MASK}@{place}"
    return word if plain["secret"] is None else f"{head}//{plain['user']}:{MASK}@{place}"


def redact_all(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Return nested mappings and lists with every text in them redacted."""
    secrets = tuple(secrets)
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        return {redact(str(key), secrets): redact_all(inner, secrets) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact_all(inner, secrets) for inner in value]
    return value


def secrets_in(value: object) -> tuple[str, ...]:
    """Return the secrets that a text, mapping or list holds, as written and as decoded.

    >>> secrets_in("postgresql://ana:p%40ss5@db/risk")
    ('p%40ss5', 'p@ss5')
    """
    if isinstance(value, Mapping):
        return tuple(dict.fromkeys(found for inner in value.values() for found in secrets_in(inner)))
    if isinstance(value, list | tuple):
        return tuple(dict.fromkeys(found for inner in value for found in secrets_in(inner)))
    if not isinstance(value, str):
        return ()
    raw = [m["secret"].strip("'") for m in _SETTING.finditer(value)]
    if "//" in value and "@" in value:
        whole = _WHOLE.match(value)
        infos = [] if whole is None else [whole["info"]]
        infos += [word.partition("//")[2].rpartition("@")[0] for word in _WORD.findall(value) if "//" in word]
        raw += [secret for info in infos for secret in _credentials(info)]
    return tuple(dict.fromkeys(form for secret in raw if secret for form in (secret, unquote(secret))))


def _credentials(info: str) -> list[str]:
    """Return what may be a password in the part of a URL before its last `@`."""
    plain = _PLAIN.match(info)
    if plain is not None:
        return [plain["secret"] or "", *(plain["secret"] or "").split(":")]
    user, colon, secret = info.partition(":")
    rest = secret if colon and _PLAIN.match(user) else info
    return [rest, *re.split("[:/@]", rest), *_PARTS.split(rest)]


def resolve(source: str) -> str:
    """Return a source, read from the environment where it is written as `env:NAME`.

    Use `env:NAME` for a database URL with a password: then no notebook, page or ledger ever holds it.

    Raises
    ------
    ConfigError
        When there is no such environment variable.
    """
    if not source.startswith(PREFIX):
        return source
    name = source.removeprefix(PREFIX).strip()
    held = os.environ.get(name)
    if not held:
        close = nearest(name, os.environ)
        raise ConfigError(
            f"The environment variable {name!r} is not set.",
            got=source,
            hint=f"did you mean 'env:{close}'?" if close else f"set {name} to the URL before the run",
        )
    return held
