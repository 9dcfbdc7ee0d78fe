"""What money is: major units outside, integer minor units inside, one currency at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskbench.engine.columns import Column
from riskbench.errors import DataError, ParameterError, listed, nearest

#: Decimals of the ISO 4217 currencies whose number is not two.
_DECIMALS = {
    **dict.fromkeys(
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(),
        0,
    ),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_TWO = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
    IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR
    MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD
    SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XXX
    YER ZAR ZMW ZWG
    """.split()
)

#: ISO 4217's word for money of no currency: what an amount bears where none is named.
NO_CURRENCY = "XXX"

#: The largest sum of minor units that stays exact in every step.
LARGEST_SUM = 2**62


@dataclass(frozen=True, slots=True)
class Currency:
    """An ISO 4217 currency and its number of decimals.

    Attributes
    ----------
    code : str
        The ISO code; `XXX` when none was named.
    decimals : int
        Minor units are the major unit divided by ten to this power.

    Examples
    --------
    >>> Currency.of("JPY").decimals, Currency.of("IDR").decimals
    (0, 2)
    """

    code: str
    decimals: int

    @classmethod
    def of(cls, code: str) -> Currency:
        """Return the currency of an ISO code.

        Raises
        ------
        ParameterError
            When there is none of that code.
        """
        if code in _DECIMALS:
            return cls(code, _DECIMALS[code])
        if code in _TWO:
            return cls(code, 2)
        known = sorted({*_DECIMALS, *_TWO})
        close = nearest(code, known)
        raise ParameterError(
            f"{code!r} is not an ISO 4217 currency code",
            allowed=listed(known, most=6),
            hint=f"did you mean {close!r}?" if close else "use XXX for no currency",
        )

    @property
    def scale(self) -> int:
        """Minor units in one major unit."""
        return int(10**self.decimals)

    def major(self, minor: float) -> float:
        """Return minor units as major units."""
        return float(minor) / self.scale


def to_minor(column: Column, currency: Currency, *, name: str) -> tuple[npt.NDArray[np.int64], int]:
    """Return a money column as integer minor units, and how many values had more decimals than the currency.

    Missing values are zero. Values with too many decimals are rounded half to even and counted, so that
    whoever asked can say so.

    Raises
    ------
    DataError
        When the column is not a number, holds infinity, or sums past what stays exact.
    """
    if column.kind not in ("int", "float"):
        raise DataError(f"Column {name!r} holds no amounts", got=column.kind, allowed="numbers in major units")
    if column.kind == "int":
        whole = np.where(column.present, column.values, np.int64(0)) if column.valid is not None else column.values
        if len(whole) and float(np.abs(whole.astype(np.float64)).sum()) * currency.scale > LARGEST_SUM:
            raise DataError(f"Column {name!r} sums past what stays exact in minor units")
        return (whole * np.int64(currency.scale)).astype(np.int64, copy=False), 0
    major = np.where(column.present, column.values, 0.0) if column.valid is not None else column.values
    if not np.isfinite(major).all():
        raise DataError(f"Column {name!r} holds an infinite amount", hint="drop or mend these rows first")
    scaled = major * currency.scale
    if len(scaled) and float(np.abs(scaled).sum()) > LARGEST_SUM:
        raise DataError(f"Column {name!r} sums past what stays exact in minor units")
    minor = np.rint(scaled)
    finer = np.abs(scaled - minor) > np.maximum(1e-6, 4e-16 * np.abs(scaled))
    return minor.astype(np.int64), int(np.count_nonzero(finer))


def finer(column: Column, currency: Currency) -> npt.NDArray[np.bool_]:
    """Return where a money column has more decimals than the currency; infinity and missing have none."""
    if column.kind != "float":
        return np.zeros(len(column), dtype=bool)
    held = np.isfinite(column.values) & column.present
    scaled = np.where(held, column.values, 0.0) * currency.scale
    off = np.abs(scaled - np.rint(scaled)) > np.maximum(1e-6, 4e-16 * np.abs(scaled))
    return np.asarray(off)
