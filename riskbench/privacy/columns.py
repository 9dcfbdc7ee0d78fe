"""Which columns of a table tell who somebody is? By their names, and by the part that they play."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

#: What a column's name ends with when its values name a person or a device, and what their pseudonyms begin with.
_KINDS: tuple[tuple[str, str], ...] = (
    (r"e ?mail( addr(ess)?)?", "mail"),
    (r"(tele)?phone|mobile|msisdn|whatsapp|cellphone|celular|telefone|telepon|no hp", "phone"),
    (r"ip|ipv4|ipv6|ip addr(ess)?", "ip"),
    (r"imei|mac|mac addr(ess)?|idfa|gaid|android|advertising|device( fingerprint)?|handset", "device"),
    (r"card|pan|instrument", "card"),
    (r"iban|bank account|account holder", "account"),
    (r"passport|nik|ktp|npwp|cpf|cnpj|ssn|nric|aadhaar|pesel|curp|dni|driving licen[cs]e", "document"),
    (r"buyer|customer|cardholder|consumer|shopper|payer|recipient|receiver|applicant", "person"),
    (r"(buyer|customer|first|last|full|family|given|owner|recipient|user|cardholder) name", "person"),
    (r"address|street", "address"),
)  # fmt: skip
#: The same, for names that mean it only where `id`, `number` or the like follows: an owner may be a rule's.
_NAMED: tuple[tuple[str, str], ...] = (
    (r"account", "account"),
    (r"document|national|tax|identity", "document"),
    (r"client|owner|user|person|member|employee", "person"),
    (r"face|selfie", "face"),
)
_TAIL = r"(?P<tail> (?:id|no|nr|number|num|hash|key|value|token))"
_SHAPES = (
    *((re.compile(rf"(?:.* )?(?:{shape}){_TAIL}?\Z"), kind) for shape, kind in _KINDS),
    *((re.compile(rf"(?:.* )?(?:{shape}){_TAIL}\Z"), kind) for shape, kind in _NAMED),
)
#: What a merge, a copy or a hash puts behind a name.
_SUFFIX = re.compile(r"(?<=\w) (?:x|y|left|right|\d{1,2}|md5|sha\d*)\Z")
_CAMEL, _GAP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])"), re.compile(r"[\W_]+")
#: Entities that a reviewer must be able to look up: business partners, and what is judged.
_TRACEABLE = re.compile(
    r"\b(seller|shop|store|merchant|vendor|creator|affiliate|agency|partner|brand|courier|order|event|case|rule|listing|item)s?\b"
)
#: Under a name that may also head a count (`device`), a short number is one.
_COUNT = re.compile(r"[+\-−]?[\d,.\s]{1,12}%?\Z")
_WORDS = frozenset(("", "–", "-", "yes", "no", "true", "false", "nan", "none", "null", "n/a", "not measurable"))


@lru_cache(maxsize=4096)
def plain_name(column: str) -> str:
    """Return a column's name as words.

    >>> plain_name("ipAddress_v4 ")
    'ip address v4'
    """
    return _GAP.sub(" ", _CAMEL.sub(" ", column[:200])).strip().lower()


@lru_cache(maxsize=4096)
def personal_kind(column: str) -> str | None:
    """Return what kind of person or device a column's values name, by its name; None when they name none.

    >>> [personal_kind(name) for name in ("buyer_id", "clientIP", "E-mail", "device_age_days", "seller_id", "devices")]
    ['person', 'ip', 'mail', None, None, None]
    """
    name = plain_name(column)
    if _TRACEABLE.search(name):
        return None
    name = _SUFFIX.sub("", name)
    return next((kind for shape, kind in _SHAPES if shape.match(name)), None)


def personal_columns(entities: Iterable[str]) -> dict[str, str]:
    """Return which of a dataset's entity columns name a person or a device, and the kind of each.

    Sellers, shops and creators are business partners, whom a reviewer must be able to look up: they are left out.

    >>> personal_columns(["buyer_id", "seller_id", "ip", "wallet"])
    {'buyer_id': 'person', 'ip': 'ip', 'wallet': 'id'}
    """
    return {
        str(name): personal_kind(str(name)) or "id" for name in entities if not _TRACEABLE.search(plain_name(str(name)))
    }


def is_value(text: str, column: str) -> bool:
    """Return whether a cell under a personal column holds a value, and not a count, a word or what is hidden already.

    >>> [is_value(text, "device") for text in ("D12F", "12", "–", "DVV…B1", "device-0a1b2c3d")]
    [True, False, False, False, False]
    >>> is_value("1234567", "buyer_id")
    True
    """
    held = text.strip()
    if held.lower() in _WORDS or "…" in held or (held.startswith("(") and held.endswith(")")):
        return False
    if re.fullmatch(r"[a-z]+-[0-9a-f]{8}", held):
        return False
    name = _SUFFIX.sub("", plain_name(column))
    named = any((found := shape.match(name)) and found["tail"] for shape, _ in _SHAPES)
    return named or held.count(".") > 2 or not _COUNT.match(held)
