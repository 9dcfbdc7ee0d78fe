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

_USERINFO = re.compile(r"(?P<head>[A-Za-z][A-Za-z0-9+.\-]{0,30}://[^\s:/?#@'\"]*):(?P<secret>[^\s/?#'\"]*)@")
_SETTING = re.compile(
    r"(?P<head>(?:^|[?&;\s])(?:password|passwd|pwd|token|secret|api_?key|access_?key|sslpassword)\s*=\s*)"
    r"(?P<secret>'[^']*'|[^\s&;'\"]+)",
    re.IGNORECASE,
)
#: Shorter secrets are masked where they stand in a URL only: as plain text they are also ordinary words.
_SHORTEST = 4


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return text with every password of a URL, and every secret named, replaced by `***`.

    >>> redact("could not reach postgresql://ana:pa55@db/risk")
    'could not reach postgresql://ana:***@db/risk'
    """
    for secret in sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = _USERINFO.sub(lambda m: f"{m['head']}:{MASK}@", text)
    return _SETTING.sub(lambda m: f"{m['head']}{MASK}", text)


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
    raw = [m["secret"].strip("'") for pattern in (_USERINFO, _SETTING) for m in pattern.finditer(value)]
    return tuple(dict.fromkeys(form for secret in raw if secret for form in (secret, unquote(secret))))


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
