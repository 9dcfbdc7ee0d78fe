"""What money in several currencies is worth in one: stated rates, new columns, nothing rounded in silence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from riskbench.data.dataset import Dataset
from riskbench.data.money import LARGEST_SUM, Currency
from riskbench.engine.columns import Column, Mask
from riskbench.errors import DataError, ParameterError, listed


def exchange(dataset: Dataset, rates: Mapping[str, float], *, to: str | None = None) -> Dataset:
    """Return the events with their money in one currency as well.

    Each money column gets a neighbour, such as `amount_USD`, that takes over its role; the column itself stays,
    so that a rule text keeps comparing local money. A converted amount is rounded to the decimals of the new
    currency.

    Parameters
    ----------
    dataset : Dataset
        Events whose currency role is a column of ISO codes.
    rates : mapping of str to float
        How much one unit of each currency is worth in the reporting currency.
    to : str, optional
        The reporting currency; by default the one whose rate is 1.

    Raises
    ------
    ParameterError
        When a rate is no positive number, or the reporting currency is not clear.
    DataError
        When the events hold a currency that has no rate, or there is no currency column.
    """
    target = _target(rates, to)
    roles = dataset.roles
    if roles.currency not in dataset.table:
        raise DataError(
            "rates= needs a currency column", got=repr(roles.currency), hint='roles: currency="currency_code"'
        )
    codes = dataset.table.column(roles.currency)
    if codes.kind != "string" or codes.words is None:
        raise DataError(f"The currency column {roles.currency!r} holds no ISO codes", got=codes.kind)
    words = codes.words.to_pylist()
    used = [words[int(code)] for code in np.unique(codes.values[codes.present])]
    unknown = [code for code in used if code not in rates]
    if unknown:
        raise DataError("Some currencies have no rate.", got=listed(unknown), allowed=listed(sorted(rates)))
    factor = np.array([rates.get(word, math.nan) for word in words] or [math.nan], dtype=np.float64)
    each = np.where(codes.present, factor[codes.values], math.nan)
    money = {"amount": roles.amount} if roles.amount else {}
    money |= {f"measures.{meaning}": column for meaning, column in roles.measures.items()}
    made: dict[str, Column] = {}
    names: dict[str, str] = {}
    for column in dict.fromkeys(money.values()):
        names[column] = _free(f"{column}_{target.code}", dataset)
        made[names[column]] = _converted(dataset.table.column(column), each, target, name=column)
    changed = roles.with_roles(
        amount=names.get(roles.amount) if roles.amount else None,
        measures={meaning: names[column] for meaning, column in roles.measures.items()},
        currency=target.code,
    )
    stated = ", ".join(f"1 {code} = {rates[code]:g}" for code in used)
    notes = [f"money was converted to {target.code} at the rates given ({stated}), into columns {listed(made)}"]
    if codes.missing:
        notes.append(f"{codes.missing} events have no currency; their converted money is missing")
    return replace(dataset.with_columns(made), roles=changed).with_notes(*notes)


def _target(rates: Mapping[str, float], to: str | None) -> Currency:
    for code, rate in rates.items():
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not math.isfinite(rate) or rate <= 0:
            raise ParameterError(f"The rate of {code} is not a positive number", got=repr(rate))
        Currency.of(code)
    if to is None:
        whole = [code for code, rate in rates.items() if rate == 1]
        if len(whole) != 1:
            raise ParameterError(
                "The reporting currency is not clear", got=listed(whole), hint='name it: rates={"USD": 1, ...}'
            )
        to = whole[0]
    if rates.get(to, 1) != 1:
        raise ParameterError(f"The rate of the reporting currency {to} is 1", got=rates[to])
    return Currency.of(to)


def _converted(column: Column, each: np.ndarray, target: Currency, *, name: str) -> Column:
    if column.kind not in ("int", "float"):
        raise DataError(f"Column {name!r} holds no amounts", got=column.kind, allowed="numbers in major units")
    valid: Mask = column.present & ~np.isnan(each)
    minor = np.where(valid, column.values * np.where(valid, each, 0.0) * target.scale, 0.0)
    finite = np.isfinite(minor)
    if float(np.abs(minor[finite]).sum()) > LARGEST_SUM:
        raise DataError(f"Column {name!r} sums past what stays exact in minor units of {target.code}")
    return Column("float", np.rint(minor) / target.scale, None if valid.all() else valid)


def _free(name: str, dataset: Dataset) -> str:
    while name in dataset.table:
        name = f"{name}_"
    return name
