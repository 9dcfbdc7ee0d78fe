"""Does a number prove itself? Check digits of cards, bank accounts and national ids."""

from __future__ import annotations

import datetime as dt

_VERHOEFF = (
    "0123456789 1234067895 2340178956 3401289567 4012395678 5987604321 6598710432 7659821043 8765932104 9876543210"
).split()
_TURNS = "0123456789 1576283094 5803796142 8916043527 9453126870 4286573901 2793806415 7046913258".split()
_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_CURP = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
_PROVINCES = frozenset(
    (*range(11, 20), 21, *range(31, 37), 51, 52, 53, *range(61, 66), *range(71, 77), 81, 82, *range(91, 97))
)
_NRIC = {"S": "JZIHGFEDCBA", "T": "GFEDCBAJZIH", "F": "XWUTRQPNMLK", "G": "RQPNMLKXWUT", "M": "KLJNPQRTUWX"}


def luhn(digits: str) -> bool:
    """Return whether the last digit of a card's or a phone's number fits the others.

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    doubled = (2 * int(digit) if place % 2 else int(digit) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def mod97(text: str) -> bool:
    """Return whether an international bank account number (IBAN) fits its own check digits.

    >>> mod97("GB82WEST12345698765432"), mod97("GB82WEST12345698765433")
    (True, False)
    """
    turned = "".join(str(int(letter, 36)) for letter in text[4:] + text[:4])
    return int(turned) % 97 == 1


def verhoeff(digits: str) -> bool:
    """Return whether the last digit of an Aadhaar number fits the others.

    >>> verhoeff("234123412346"), verhoeff("234123412347")
    (True, False)
    """
    held = 0
    for place, digit in enumerate(reversed(digits)):
        held = int(_VERHOEFF[held][int(_TURNS[place % 8][int(digit)])])
    return held == 0


def cpf(digits: str) -> bool:
    """Return whether a Brazilian person's number fits its two check digits.

    >>> cpf("52998224725"), cpf("52998224724"), cpf("11111111111")
    (True, False, False)
    """
    return len(set(digits)) > 1 and all(
        int(digits[end])
        == 10 * sum(int(digit) * weight for digit, weight in zip(digits, range(end + 1, 1, -1), strict=False)) % 11 % 10
        for end in (9, 10)
    )


def cnpj(text: str) -> bool:
    """Return whether a Brazilian company's number, of digits or with letters, fits its two check digits.

    >>> cnpj("11222333000181"), cnpj("11222333000180"), cnpj("12ABC34501DE35")
    (True, False, True)
    """
    values = [ord(letter) - 48 for letter in text]
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    for end in (12, 13):
        rest = sum(value * weight for value, weight in zip(values[:end], weights[13 - end :], strict=True)) % 11
        if values[end] != (0 if rest < 2 else 11 - rest):
            return False
    return len(set(text)) > 1


def dni(text: str) -> bool:
    """Return whether a Spanish person's number fits its letter.

    >>> dni("12345678Z"), dni("12345678A"), dni("X1234567L")
    (True, False, True)
    """
    number = text[:-1].translate(str.maketrans("XYZ", "012"))
    return text[-1] == _DNI[int(number) % 23]


def nric(text: str) -> bool:
    """Return whether a Singaporean person's number fits its letter.

    >>> nric("S1234567D"), nric("S1234567A")
    (True, False)
    """
    total = sum(int(digit) * weight for digit, weight in zip(text[1:8], (2, 7, 6, 5, 4, 3, 2), strict=True))
    return text[-1] == _NRIC[text[0]][(total + 3 * (text[0] == "M")) % 11]


def curp(text: str) -> bool:
    """Return whether a Mexican person's code has a birthday and fits its check digit.

    >>> curp("HEGG560427MVZRRL04"), curp("HEGG560427MVZRRL05")
    (True, False)
    """
    total = sum(_CURP.index(letter) * (18 - place) for place, letter in enumerate(text[:17]))
    return birthday(text[4:10]) and int(text[17]) == (10 - total % 10) % 10


def resident(text: str) -> bool:
    """Return whether a Chinese resident's number has a birthday and fits its check digit.

    >>> resident("11010519491231002X"), resident("110105194912310021")
    (True, False)
    """
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(text[:17], weights, strict=True))
    return birthday(text[6:14]) and text[17].upper() == "10X98765432"[total % 11]


def pesel(digits: str) -> bool:
    """Return whether a Polish person's number has a birthday and fits its check digit.

    >>> pesel("44051401359"), pesel("44051401358")
    (True, False)
    """
    total = sum(int(digit) * weight for digit, weight in zip(digits[:10], (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), strict=True))
    month = f"{int(digits[2:4]) % 20:02d}"
    return birthday(digits[:2] + month + digits[4:6]) and int(digits[10]) == (10 - total % 10) % 10


def norwegian(digits: str) -> bool:
    """Return whether a Norwegian person's number has a birthday and fits its two check digits.

    >>> norwegian("15076500565"), norwegian("15076500566")
    (True, False)
    """
    values = [int(digit) for digit in digits]
    one = sum(value * weight for value, weight in zip(values[:10], (3, 7, 6, 1, 8, 9, 4, 5, 2, 1), strict=True)) % 11
    two = sum(value * weight for value, weight in zip(values, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1), strict=True)) % 11
    day = f"{int(digits[:2]) - 40 * (digits[0] in '4567'):02d}"
    return one == two == 0 and birthday(digits[4:6] + digits[2:4] + day)


def thai(digits: str) -> bool:
    """Return whether a Thai person's number fits its check digit.

    >>> thai("1101700230708"), thai("1101700230709")
    (True, False)
    """
    total = sum(int(digit) * (13 - place) for place, digit in enumerate(digits[:12]))
    return int(digits[12]) == (11 - total % 11) % 10


def nik(digits: str) -> bool:
    """Return whether an Indonesian person's number has a province, a regency, a birthday and a serial number.

    >>> nik("3171014505900001"), nik("3171013213900001"), nik("9971014505900001")
    (True, False, False)
    """
    province, regency, day = int(digits[:2]), int(digits[2:4]), int(digits[6:8])
    day -= 40 * (day > 40)
    return (
        province in _PROVINCES
        and (1 <= regency <= 30 or 71 <= regency <= 79)
        and digits[4:6] != "00"
        and birthday(f"{digits[10:12]}{digits[8:10]}{day:02d}")
        and digits[12:] != "0000"
    )


def birthday(digits: str) -> bool:
    """Return whether digits are a date, as YYMMDD or as YYYYMMDD of the years in which people now alive were born.

    >>> birthday("900545"), birthday("900505"), birthday("19900505"), birthday("24900505")
    (False, True, True, False)
    """
    year = int(digits[:-4]) if len(digits) == 8 else 2000 + int(digits[:-4])
    try:
        dt.date(year, int(digits[-4:-2]), int(digits[-2:]))
    except ValueError:
        return len(digits) == 6 and digits[-4:] == "0229"  # of the other century, perhaps
    return 1900 <= year <= 2100
