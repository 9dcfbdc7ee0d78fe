"""How does a rule read to somebody who writes no SQL? Its conditions as sentences, its columns by their own words."""

from __future__ import annotations

from collections.abc import Mapping

from riskbench.engine.sayings import said
from riskbench.rules.book import RuleBook
from riskbench.rules.force import in_force
from riskbench.rules.param import ParamValue
from riskbench.rules.rule import Rule


def rule_in_english(rule: Rule) -> str:
    """Return a rule as a sentence, with its default values, and one more for each region with its own.

    Use it where a reader must agree to a rule. Nothing is added to what the rule says: columns are named by their own
    words, units are those of the parameters. It is not read back.

    Raises
    ------
    RuleError
        When the condition cannot be read.

    Examples
    --------
    >>> rule = Rule("TX-1", "amount > :limit AND device_age_days < 2 AND country NOT IN ('ID')", "review",
    ...     params={"limit": {"default": 1500000, "unit": "IDR"}}, regions={"JKT": {"limit": 2000000}})
    >>> print(rule_in_english(rule))
    Review when amount is above 1,500,000 IDR, device age days is below 2, and country is not 'ID'. In JKT the limit \
is 2,000,000 IDR.
    """
    text = f"{_capital(rule.outcome.replace('_', ' '))} when {_condition(rule)}."
    for region, own in rule.regions.items():
        changed = [f"the {name.replace('_', ' ')} is {_value(rule, name, value)}" for name, value in own.items()]
        if changed:
            text += f" In {region} {' and '.join(changed)}."
    return text + "".join(f" In {region} it does not act." for region in rule.off)


def book_in_english(book: RuleBook) -> str:
    """Return a book as sentences: its features, then its live rules in the order in which they decide, then the others.

    Examples
    --------
    >>> book = RuleBook.from_yaml('''
    ... book: demo
    ... domain: transactions
    ... features: {device_orders_1h: {count: "*", by: device_id, window: 1h}}
    ... rules:
    ...   - {id: A, when: device_orders_1h >= 3 OR is_new, outcome: block, status: live}
    ... ''')
    >>> print(book_in_english(book))
    Rule book demo (transactions). What the first matching rule says holds; without one: approve.
    device orders 1h: how many events with the same device id there were in the 1h before.
    1. A: Block when device orders 1h is at least 3, or is new is true.
    """
    from riskbench.data.outcomes import ladder
    from riskbench.data.velocity import Feature
    from riskbench.rules.hits import deciding_order

    book = in_force(book, None).book
    mildest = ladder(book.domain).names[0]
    lines = [f"Rule book {book.name} ({book.domain}). What the first matching rule says holds; without one: {mildest}."]
    for name, entry in book.features.items():
        lines.append(f"{_words(name)}: {_feature(Feature.from_mapping(name, entry))}.")
    order = deciding_order(book)
    lines += [f"{number}. {_told(book.rules[place])}" for number, place in enumerate(order, start=1)]
    idle = [rule for place, rule in enumerate(book.rules) if place not in order]
    if idle:
        lines.append("Not live, so deciding nothing:")
        lines += [f"- {_told(rule)} ({rule.status})" for rule in idle]
    return "\n".join(lines)


def _told(rule: Rule) -> str:
    return f"{rule.id}: {rule_in_english(rule)}"


def _condition(rule: Rule) -> str:
    values = {name: _value(rule, name, value) for name, value in rule.values().items()}
    lists: Mapping[str, int] = {
        **{name: len(held) for name, held in rule.lists.items()},
        **{name: len(value) for name, value in rule.values().items() if isinstance(value, tuple)},
    }
    return said(rule.predicate, values=values, lists=lists)


def _value(rule: Rule, name: str, value: ParamValue) -> str:
    from riskbench.rules.param import number

    unit = rule.params[name].unit if name in rule.params else None
    return f"{number(value)} {unit}" if unit else number(value)


def _feature(feature: object) -> str:
    from riskbench.data.velocity import Feature

    assert isinstance(feature, Feature)
    by = " and ".join(_words(name) for name in feature.by)
    column = _words(feature.column) if feature.column else "events"
    what = {
        "count": f"how many events{'' if feature.column is None else f' with a {column}'}",
        "sum": f"the sum of {column} over the events",
        "count_distinct": f"how many different values of {column} among the events",
        "mean": f"the mean {column} of the events",
        "min": f"the smallest {column} of the events",
        "max": f"the largest {column} of the events",
        "gap": "the seconds since the last event",
        "min_gap": "the smallest number of seconds between two events",
        "max_gap": "the largest number of seconds between two events",
    }[feature.kind]
    there = "" if feature.kind == "gap" else " there were"
    return f"{what} with the same {by}{there} in the {feature.window} before"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
