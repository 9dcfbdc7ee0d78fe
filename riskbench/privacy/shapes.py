"""What does a personal detail look like? One shape each, bounded, and a proof where there is one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from re import Match

from riskbench.privacy import digits

MAIL, CARD, ACCOUNT, PHONE = "e-mail address", "card number", "bank account number", "phone number"
NATIONAL, DEVICE, ADDRESS = "national id", "device id", "IP address"
#: How far back a word may stand that says what a number is.
_BACK = 28
#: Words that a detail is glued to.
_GLUED = "ip cc hp pan nik ktp ssn cpf tel card cnpj iban imei phone"
_GLUE = "|".join(f"(?<=(?i:{word}))" for word in _GLUED.split())
#: No number goes on where a detail ends, nor does it begin within a word or behind a point or a sign. Commas, brackets
#: and underscores end it: an amount is grouped by threes, which no shape is.
_AHEAD, _BEHIND = r"(?![^\W_]|[.-]\d)", rf"(?:(?<![^\W_])(?<![.-])|(?<=[A-Za-z])(?:{_GLUE}))"
#: The same, for what a table of floats writes with a point and noughts behind it.
_AHEAD_FLOAT = r"(?![^\W_]|-\d|\.(?!0+(?!\d))\d)"


@dataclass(frozen=True, slots=True)
class Shape:
    """One detector: what it finds, the shape, and the proof that a text of this shape is one."""

    kind: str
    pattern: re.Pattern[str]
    proof: Callable[[Match[str]], bool]


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())


def _said(found: Match[str], words: re.Pattern[str]) -> bool:
    """Return whether one of some words stands shortly before what was found."""
    return words.search(found.string[max(0, found.start() - _BACK) : found.start()]) is not None


#: What may stand between a word and the number that it tells of.
_LINK = r"(?:[\s_]*(?:no|nr|num|number|nomor|id|code)\b\.?)?[\"']?\s*(?:[:=#]|->?)?\s*[\"'(\[]?\Z"


def _any(_: Match[str]) -> bool:
    return True


# -- cards and bank accounts -------------------------------------------------------------------------------

#: How a network's cards begin, and how long they are.
_NETWORKS = (
    (re.compile(r"4"), (16, 19)),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|220[0-4]|9792"), (16,)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"30[0-5]|3095|36|3[89]"), (14, 16)),
    (re.compile(r"6011|64[4-9]|65"), (16, 19)),
    (re.compile(r"62"), (16, 17, 18, 19)),
    (re.compile(r"352[89]|35[3-8]"), (16,)),
    (re.compile(r"2131|1800"), (15,)),
    (re.compile(r"5018|5020|5038|5893|6304|6759|676[1-3]|50|6362|6363|60"), (16,)),
)


def _card(found: Match[str]) -> bool:
    held = _plain(found[0].replace("%20", " "))
    known = any(len(held) in sizes and shape.match(held) for shape, sizes in _NETWORKS)
    return known and digits.luhn(held) and len(set(held)) > 1


#: Length of a country's account number.
_IBAN = dict(
    entry.split(":")
    for entry in (
        "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DK:18 DO:28 "
        "EE:20 EG:29 ES:24 FI:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 "
        "IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MR:27 MT:31 MU:30 "
        "NL:18 NO:15 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 SA:24 SC:31 SE:24 SI:19 SK:24 SM:27 TN:24 TR:26 UA:29 "
        "VA:22 VG:24 XK:20"
    ).split()
)


_LENGTHS = {size: "|".join(code for code in _IBAN if _IBAN[code] == size) for size in sorted(set(_IBAN.values()))}
_IBANS = "|".join(rf"(?:{codes})[ -]?\d\d(?:[ -]?[A-Z0-9]){{{int(size) - 4}}}" for size, codes in _LENGTHS.items())


def _iban(found: Match[str]) -> bool:
    return digits.mod97(_plain(found[0]).upper())


# -- phones ------------------------------------------------------------------------------------------------

#: Words that head a phone; those that may head a count as well need a sign, a colon or `number` behind them.
_CALLS = re.compile(
    r"(?:(?<![^\W_])(?:(?:tele)?phone|fone|fon|fono|foon|pon|fonnummer|tel|telp|tlf|celular|whatsapp|msisdn|no\.? ?hp"
    r"|nomor hp|hp|sđt|điện thoại|móvil|teléfono)|โทร|電話|wa\.me/)" + _LINK,
    re.IGNORECASE,
)
_PERHAPS_CALLS = re.compile(
    r"(?<![^\W_])(?:(?:tele)?phones|mobile|mobil|cell|sms|wa|contact|call)"
    r"(?:[\s_]*(?:no|nr|num|number)\b\.?[\"']?\s*[:=#]?|[\"']?\s*[:=#])\s*[\"'(\[]?\Z",
    re.IGNORECASE,
)
#: What stands before an amount or a change of one, and numbers of groups of three.
_MONEY = re.compile(
    r"(?<![^\W_])(?:(?:IDR|VND|THB|PHP|MYR|SGD|TWD|BRL|MXN|COP|CLP|USD|EUR|GBP|JPY|CNY|INR|KRW|AUD|NOK|SEK|DKK|PLN|Rp)\.?"
    r"|(?i:change[sd]?|net|delta|diff(?:erence)?|effect|gain(?:ed)?|amount|total|sum|sav(?:ed|ings?)|costs?|lift|gmv"
    r"|revenue|loss|money))\s*[:=]?\s*\Z|[$€£¥₫฿₱]\s?\Z"
)
_GROUPED = re.compile(r"\d{1,3}(?: \d{3})+\Z")
#: The numbers of the sample's countries, and of the largest others, after the country's code.
_COUNTRIES = {
    "1": r"[2-9]\d\d[2-9]\d{6}", "52": r"1?[2-9]\d{9}", "55": r"[1-9]{2}(9\d{8}|[2-5]\d{7})", "57": r"3\d{9}|60\d{8}",
    "60": r"1\d{8,9}|[3-9]\d{7,8}", "62": r"8\d{8,11}|[2-79]\d{7,10}", "63": r"9\d{9}|[2-8]\d{7,9}",
    "65": r"[3689]\d{7}", "66": r"[689]\d{8}|[2-7]\d{7}", "84": r"[35789]\d{8}|2\d{9}", "886": r"9\d{8}|[2-8]\d{7,8}",
    "47": r"[2-9]\d{7}", "48": r"[1-9]\d{8}", "33": r"[1-9]\d{8}", "34": r"[6-9]\d{8}", "39": r"[03]\d{8,9}",
    "44": r"[1-9]\d{8,9}", "49": r"[1-9]\d{8,11}", "61": r"[2-478]\d{8}", "81": r"[1-9]\d{8,9}",
    "82": r"1?[1-9]\d{7,9}", "86": r"1[3-9]\d{9}|[2-9]\d{8,10}", "91": r"[6-9]\d{9}", "7": r"[3489]\d{9}",
    "31": r"[1-9]\d{8}",
    "32": r"[1-9]\d{7,8}", "46": r"[1-9]\d{6,9}", "45": r"[2-9]\d{7}", "351": r"[29]\d{8}", "971": r"5\d{8}|[2-9]\d{7}",
    "54": r"9?[1-9]\d{9}", "56": r"[29]\d{8}", "51": r"9\d{8}|[1-8]\d{6,7}", "90": r"5\d{9}|[2-4]\d{9}",
    "20": r"1\d{9}", "27": r"[1-8]\d{8}", "234": r"[789]\d{9}", "254": r"[17]\d{8}", "852": r"[5-9]\d{7}",
    "855": r"[1-9]\d{7,8}", "95": r"9\d{7,9}", "92": r"3\d{9}", "880": r"1\d{9}", "94": r"7\d{8}",
}  # fmt: skip
_NATIONAL_PART = re.compile(rf"(?:{'|'.join(f'{code}(?:{shape})' for code, shape in _COUNTRIES.items())})\Z")
#: An amount, or a number with a point: no phone.
_AMOUNT = re.compile(r"[+\-]?(?:\d{1,3}(?:\.\d{3})+|\d+\.\d+)\Z")
_DATE = re.compile(r"(?:19|20)\d\d[-/. ]?[01]\d[-/. ]?[0-3]\d|[0-3]?\d[-/.][01]?\d[-/.](?:19|20)\d\d")


def _called(found: Match[str]) -> bool:
    """Return whether the words right before a number say that it is a phone."""
    held = found[0].strip("() ")
    return _said(found, _CALLS) or (_said(found, _PERHAPS_CALLS) and not _GROUPED.match(held))


def _abroad(found: Match[str]) -> bool:
    held = _plain(found[0])
    if _called(found):
        return 8 <= len(held) <= 15
    if _AMOUNT.match(found[0]) or _said(found, _MONEY):
        return False
    first = re.match(r"\+(\d+)", found[0])
    if _GROUPED.match(found[0][1:]) and first is not None and first[1] not in _COUNTRIES:
        return False  # groups of three: of an amount, where the first is no country
    return _NATIONAL_PART.match(held) is not None


def _zeros(found: Match[str]) -> bool:
    return _called(found) or (
        _phone(found) and not found[0].isdigit() and _NATIONAL_PART.match(_plain(found[0])[2:]) is not None
    )


def _phone(found: Match[str]) -> bool:
    """Return whether a number that is written like a phone is no part of a grouped amount."""
    text, start, end = found.string, found.start(), found.end()
    if _said(found, _MONEY):
        return False
    before, after = text[max(0, start - 2) : start], text[end : end + 5]
    of_more = re.match(r"\d[ ,.]\Z", before) or re.match(r"[ ,]\d{3}(?!\d)", after)
    return not (of_more and _GROUPED.match(found[0]))


def _american(found: Match[str]) -> bool:
    held = _plain(found[0])
    return (held[1] != "9" and held[1:3] != "11" and held[4:6] != "11") or _called(found)


def _told_phone(found: Match[str]) -> bool:
    return _called(found) and not _DATE.match(found[0]) and not _AMOUNT.match(found[0])


# -- national ids ------------------------------------------------------------------------------------------

_PERSON = re.compile(
    r"(?:(?<![^\W_])(?:nik|ktp|cpf|cnpj|ssn|social security|pesel|aadhaar|aadhar|uid|cccd|cmnd|căn cước|citizen"
    r"|resident|national|identity|id card|passport|nric|fin|mykad|cédula|cedula|dni|nie|curp|rfc)|id(?= (?:no|number))"
    r"|身分證|身份证|บัตรประชาชน)" + _LINK,
    re.IGNORECASE,
)
_SSN = re.compile(r"(?<![^\W_])(?:ssn|social security)" + _LINK, re.IGNORECASE)
_PASSPORT = re.compile(r"(?<![^\W_])passport" + _LINK, re.IGNORECASE)


def _ssn(found: Match[str]) -> bool:
    return found[1] not in ("000", "666") and found[1] < "900" and found[2] != "00" and found[3] != "0000"


def _uid(found: Match[str]) -> bool:
    held = _plain(found[0])
    return digits.verhoeff(held) and not (held[:2] in ("19", "20") and held[4:6] in ("19", "20"))  # years


def _dni(found: Match[str]) -> bool:
    held = _plain(found[0]).upper()
    day = held[-1] in "TZ" and digits.birthday(held[:8]) if held[0].isdigit() else False
    return digits.dni(held) and ((not day and found[0][-1].isupper()) or _said(found, _PERSON))


def _mykad(found: Match[str]) -> bool:
    return digits.birthday(found[1]) and found[2] not in ("00", "17", "18", "19", "20", "69", "70", "73", "80", "81")


def _eleven(found: Match[str]) -> bool:
    held = found[0]
    return digits.norwegian(held) or (_said(found, _PERSON) and (digits.cpf(held) or digits.pesel(held)))


def _twelve(found: Match[str]) -> bool:
    return _said(found, _PERSON) and (digits.verhoeff(found[0]) or found[0][0] == "0")


# -- devices and addresses ---------------------------------------------------------------------------------

_IMEI = re.compile(r"\bimei", re.IGNORECASE)
_MAC = re.compile(r"\bmac\b", re.IGNORECASE)
_VERSION = re.compile(
    r"(?:(?<![^\W_])(?:v|ver|version|release|package|pkg|lib|library|build)\.?\s?[:=]?\s?|==|>=|<=|~=|[^\W_]_)\Z",
    re.IGNORECASE,
)
_IP = re.compile(r"(?<![^\W_])ip_\Z", re.IGNORECASE)


def _mac(found: Match[str]) -> bool:
    return any(letter.isalpha() for letter in found[0]) or _said(found, _MAC)


def _ipv4(found: Match[str]) -> bool:
    text = found[0].replace("[", "").replace("]", "").lower().removeprefix("ip-").replace("-", ".")
    try:
        held = ipaddress.IPv4Address(text)
    except ValueError:
        return False
    hidden = held.is_loopback or held.is_unspecified or held.is_multicast or text.startswith("255.")
    small = all(int(part) < 100 for part in text.split("."))
    return not hidden and not (small and _said(found, _VERSION) and not _said(found, _IP)) and not _said(found, _MONEY)


def _ipv6(found: Match[str]) -> bool:
    groups = [group for group in found[0].split(":") if group]
    if len(groups) < 3 and not found[0].lower().startswith(("fe80:", "fc", "fd")):
        return False
    try:
        held = ipaddress.IPv6Address(found[0])
    except ValueError:
        return False
    return not held.is_loopback and len(groups[0]) > 2


#: How domains end, where the text around an address would fit code as well.
_ENDS = (
    "com|net|org|io|co|id|vn|th|ph|my|sg|tw|br|mx|cl|ar|pe|es|fr|de|it|nl|be|pl|se|no|dk|fi|uk|us|ca|au|nz|jp|kr|cn|hk|in"
    "|ru|tr|za|ae|edu|gov|info|biz|app|dev|shop|online|example|test"
)


def _shape(
    kind: str, pattern: str, proof: Callable[[Match[str]], bool] = _any, *, bare: bool = False, ahead: str = _AHEAD
) -> Shape:
    begin = r"(?=[\d(])" if pattern.startswith(("\\d", "\\(", "(\\d", "[1-9]", "[2-9]", "[1-8]", "0")) else ""
    whole = pattern if bare else f"{begin}{_BEHIND}(?:{pattern}){ahead}"
    return Shape(kind, re.compile(whole), proof)


#: Every detector; where two find the same place, the first one names it.
SHAPES: tuple[Shape, ...] = (
    _shape(
        MAIL,
        r"(?<![\w.+%'-])[\w.+%'-]+(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})*\.[^\W\d_][\w-]{1,62}"
        r"(?:@[\w.-]+)*",
        bare=True,
    ),
    _shape(
        MAIL,
        r"(?<![\w.+%'-])[\w.+%'-]{1,64}(?: ?@ | @| ?[\[(]at[\])] ?)(?:[\w-]{1,63}\.){1,4}"
        rf"(?i:{_ENDS})(?![\w-])",
        bare=True,
    ),
    _shape(ACCOUNT, f"(?i:{_IBANS})", _iban),
    _shape(
        CARD,
        r"\d{14,19}|\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}(?:[ -]?\d{3})?"
        r"|3\d{3}[ -]\d{6}[ -]\d{4,5}",
        _card,
        ahead=_AHEAD_FLOAT,
    ),
    _shape(CARD, r"\d{4}(?P<gap>  |[./_+:]|%20)\d{4}(?P=gap)\d{4}(?P=gap)\d{4}", _card),
    _shape(
        CARD,
        r"\d{4}(?P<line>[ -])\d{4}(?:\n\d{4}(?P=line)\d{4}|(?P=line)\d{4}\n\d{4})|\d{4}\n\d{4}([ -])\d{4}\2\d{4}",
        _card,
    ),
    _shape(NATIONAL, r"[1-9]\d{15}", lambda found: digits.nik(found[0]), ahead=_AHEAD_FLOAT),
    _shape(NATIONAL, r"\d\d\.\d\d\.\d\d\.\d{6}\.\d{4}", lambda found: digits.nik(_plain(found[0]))),
    _shape(NATIONAL, r"[1-9]\d{3}(?P<nik>[ .-])\d{4}(?P=nik)\d{4}(?P=nik)\d{4}", lambda f: digits.nik(_plain(f[0]))),
    _shape(NATIONAL, r"[1-9]\d{16}[\dXx]", lambda found: digits.resident(found[0])),
    _shape(NATIONAL, r"\d{3}\.\d{3}\.\d{3}-\d{2}", lambda found: digits.cpf(_plain(found[0]))),
    _shape(
        NATIONAL,
        r"[A-Z0-9]{2}\.[A-Z0-9]{3}\.[A-Z0-9]{3}/[A-Z0-9]{4}-\d{2}",
        lambda found: digits.cnpj(_plain(found[0])),
    ),
    _shape(NATIONAL, r"\d{14}", lambda f: _said(f, _PERSON) and digits.cnpj(f[0]) and not digits.birthday(f[0][:8])),
    _shape(NATIONAL, r"\d{11}", _eleven),
    _shape(NATIONAL, r"\d{12}", _twelve),
    _shape(NATIONAL, r"[2-9]\d{3}(?P<uid>[ -])\d{4}(?P=uid)\d{4}", _uid),
    _shape(NATIONAL, r"0\d{3} \d{4} \d{4}", lambda found: _said(found, _PERSON)),
    _shape(NATIONAL, r"\d{9}", lambda found: _said(found, _SSN)),
    _shape(NATIONAL, r"[A-Za-z]{1,2}\d{6,8}", lambda found: _said(found, _PASSPORT)),
    _shape(NATIONAL, r"\d-\d{4}-\d{5}-\d{2}-\d", lambda found: digits.thai(_plain(found[0]))),
    _shape(NATIONAL, r"[1-8]\d{12}", lambda found: _said(found, _PERSON) and digits.thai(found[0])),
    _shape(NATIONAL, r"(\d{6})-(\d{2})-\d{4}", _mykad),
    _shape(NATIONAL, r"(\d{3})-(\d{2})-(\d{4})", _ssn),
    _shape(NATIONAL, r"\d{8}-?[A-HJ-NP-TV-Za-hj-np-tv-z]", _dni),
    _shape(NATIONAL, r"[XYZ]-?\d{7}-?[A-HJ-NP-TV-Z]", _dni),
    _shape(NATIONAL, r"[STFGM]\d{7}[A-Z]|[stgm]\d{7}[a-z]", lambda found: digits.nric(found[0].upper())),
    _shape(NATIONAL, r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d", lambda found: digits.curp(found[0])),
    _shape(PHONE, rf"(?<![^\W_])(?<!\.)\+(?:[ .()/-]{{0,2}}\d){{8,15}}{_AHEAD_FLOAT}", _abroad, bare=True),
    _shape(PHONE, r"00(?:[ .()/-]{0,2}\d){8,15}", _zeros),
    _shape(PHONE, r"08(?:1[1-9]|2[1238]|3[1238]|5[1-9]|7[789]|8[1-9]|9[5-9])(?P<hp>[ -]?)\d{3,4}(?P=hp)\d{3,5}"),
    _shape(PHONE, r"\(0[1-9]\d{0,3}\) ?\d{3,4}[ -]?\d{3,5}"),
    _shape(PHONE, r"0[1-9]\d{0,2}(?P<dash>[ -])\d{3,4}(?P=dash)\d{3,4}", _phone),
    _shape(PHONE, r"\([1-9][1-9]\) ?(?:9\d{4}|[2-5]\d{3})[ -]?\d{4}|[1-9][1-9] 9\d{4}-\d{4}"),
    _shape(PHONE, r"\([2-9]\d{2}\) ?[2-9]\d{2}[ .-]\d{4}"),
    _shape(PHONE, r"[2-9]\d{2}(?P<us>[.-])[2-9]\d{2}(?P=us)\d{4}", _american),
    _shape(PHONE, r"\(?\d{1,4}\)?(?:[ .()-]{0,2}\d){6,13}", _told_phone, ahead=_AHEAD_FLOAT),
    _shape(DEVICE, r"\d{15}|\d{2}-\d{6}-\d{6}-\d", lambda f: _said(f, _IMEI) and digits.luhn(_plain(f[0]))),
    _shape(
        DEVICE,
        r"(?<![\w:.-])[0-9A-Fa-f]{2}(?P<mac>[:-])(?:[0-9A-Fa-f]{2}(?P=mac)){4}[0-9A-Fa-f]{2}(?![\w:]|-[0-9A-Fa-f])",
        _mac,
        bare=True,
    ),
    _shape(
        DEVICE,
        r"(?<![\w:.-])[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?![\w.:-])",
        lambda found: re.search(r"[A-Fa-f]", found[0]) is not None,
        bare=True,
    ),
    _shape(
        ADDRESS,
        rf"(?=\d){_BEHIND}\d{{1,3}}(?:\[?\.\]?\d{{1,3}}){{3}}(?![^\W_]|\.\d|-(?!\d{{1,3}}\.\d{{1,3}}\.)\d)"
        r"|(?<=\d-)\d{1,3}(?:\.\d{1,3}){3}(?![\w.-])|(?<![\w.-])(?i:ip)-\d{1,3}(?:-\d{1,3}){3}(?![\w-])",
        _ipv4,
        bare=True,
    ),
    _shape(ADDRESS, r"(?<![\w:.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{3,36}(?![\w:])", _ipv6, bare=True),
)
