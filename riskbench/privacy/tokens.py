"""How is a device told from another without telling which? By a word that only the holder of a key can work out."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ipaddress
import os
import re
import secrets
from functools import cache
from pathlib import Path

from riskbench.errors import ConfigError

#: The key itself, as text; or the file that holds it.
KEY, KEY_FILE = "RISKBENCH_PRIVACY_KEY", "RISKBENCH_PRIVACY_KEY_FILE"
#: What the file is called that lies beside the run folders.
NAME = "riskbench.key"
_SHORTEST, _LARGEST = 16, 4096
_PLAIN = re.compile(r"[^a-z0-9]+")
#: A network card, or a phone: the same one however it is written.
_HARDWARE = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|[\d-]{15,18}")


class Key:
    """What makes pseudonyms: the same value gets the same one under one key; without it nobody can look one up.

    Parameters
    ----------
    held : bytes
        The key; it is never shown.

    Examples
    --------
    >>> key = Key(b"sixteen bytes or more")
    >>> key, key.pseudonym("203.0.113.9", "ip"), key.pseudonym(" 203.0.113.9", "ip")
    (Key(***), 'ip-429381ff', 'ip-429381ff')
    """

    __slots__ = ("_held",)

    def __init__(self, held: bytes) -> None:
        if len(held) < _SHORTEST:
            raise ConfigError("A privacy key is too short to keep anything hidden", allowed="16 characters or more")
        self._held = held

    def pseudonym(self, value: str, kind: str) -> str:
        """Return the word that stands for a value: its kind, and eight letters that the key makes of it."""
        word = _PLAIN.sub("-", kind.lower()).strip("-") or "id"
        made = hmac.new(self._held, f"{word}\0{_canonical(value, word)}".encode(errors="replace"), hashlib.sha256)
        return f"{word}-{made.hexdigest()[:8]}"

    def __repr__(self) -> str:
        return "Key(***)"

    def __reduce__(self) -> str:
        raise TypeError("A privacy key is not written anywhere")


def _canonical(value: str, word: str) -> str:
    """Return a value in the one form that its kind has."""
    text = value.strip()
    if word == "ip":
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(text))
    if word == "device" and _HARDWARE.fullmatch(text):
        return re.sub(r"[^0-9a-f]", "", text.lower())
    return text


def key_file(folder: str | Path) -> Path:
    """Return the key file of a folder; one is made, for its owner alone, where there is none.

    Raises
    ------
    ConfigError
        When it can neither be read nor made.
    """
    path = Path(folder) / NAME
    if not path.is_file():
        part = path.with_name(f".{NAME}.{secrets.token_hex(4)}")
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                stream.write(secrets.token_hex(32) + "\n")
            try:
                os.link(part, path)  # whole or not at all, and never over another's
            except FileExistsError:
                pass
            except OSError:  # a file system without links
                os.replace(part, path)  # noqa: PTH105
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(f"The privacy key of {str(folder)!r} cannot be made: {error.strerror}") from None
    read_key(path)
    return path


def read_key(path: str | Path) -> Key:
    """Return the key that a file holds.

    Raises
    ------
    ConfigError
        When the file cannot be read, or holds no key.
    """
    try:
        with Path(path).open("rb") as stream:
            held = stream.read(_LARGEST).strip()
    except OSError as error:
        raise ConfigError(f"The privacy key file {str(path)!r} cannot be read: {error.strerror}") from None
    return Key(held)


def key_near(folder: str | Path) -> Key | None:
    """Return the key of a folder or of the one above it; None where neither has one."""
    here = Path(folder).resolve()
    found = next((path for path in (here / NAME, here.parent / NAME) if path.is_file()), None)
    return None if found is None else read_key(found)


def current_key() -> Key:
    """Return the key in force: that of RISKBENCH_PRIVACY_KEY, that of the key file, or one of this process alone.

    It never raises, as every page needs one: what cannot be read counts as none.
    """
    with contextlib.suppress(ConfigError):
        if os.environ.get(KEY):
            return Key(os.environ[KEY].encode(errors="replace"))
        if os.environ.get(KEY_FILE):
            return read_key(os.environ[KEY_FILE])
    return _own_key()


@cache
def _own_key() -> Key:
    return Key(secrets.token_bytes(32))
