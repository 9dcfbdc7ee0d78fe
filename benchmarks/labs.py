"""How long does somebody wait who moves a rule in the rule lab, until the new exact numbers stand as HTML?

Run: python benchmarks/labs.py [--events 1000000] [--rules 100] [--rounds 15]

Milliseconds from setting a control to the new HTML of the lab, without a kernel: wall time, and processor time of all
threads. Events and rules are those of `rules.py`; each number in a condition is a parameter. The answer is checked
against simulating the edited book. Bar: under 100 ms at a million events and a hundred rules.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from rules import conditions, events

import riskbench as rb


def book_of(rules: list[list[tuple[str, str, object]]], seed: int = 5) -> rb.RuleBook:
    """Return a book in which every number is a parameter with bounds."""
    rng = np.random.default_rng(seed)
    text = ["book: lab", "domain: transactions", "rules:"]
    for k, rule in enumerate(rules):
        params, parts = {}, []
        for place, (column, op, value) in enumerate(rule):
            if isinstance(value, str):
                parts.append(f"{column} = '{value}'")
                continue
            parts.append(f"{column} {op} :p{place}")
            params[f"p{place}"] = f"{{default: {value}, min: 0, max: {2000 if column[0] == 'n' else 5}}}"
        held = ", ".join(f"{name}: {entry}" for name, entry in params.items())
        outcome, status = rng.choice(["challenge", "review", "block"]), rng.choice(["live"] * 9 + ["shadow"])
        text.append(
            f'  - {{id: R{k}, when: "{" AND ".join(parts)}", params: {{{held}}}, outcome: {outcome},'
            f" priority: {rng.integers(1, 40)}, status: {status}}}"
        )
    return rb.RuleBook.from_yaml("\n".join(text))


def waited(name: str, work: Callable[[int], object], rounds: int) -> None:
    walls, spent = [], []
    for turn in range(rounds + 1):
        begun, busy = time.perf_counter(), time.process_time()
        work(turn)
        walls.append(1000 * (time.perf_counter() - begun))
        spent.append(1000 * (time.process_time() - busy))
    wall, cpu = statistics.median(walls[1:]), statistics.median(spent[1:])
    verdict = "kept" if cpu < 100 else "MISSED"
    print(f"{name:<44} {wall:8.1f} {min(walls[1:]):8.1f} {max(walls[1:]):8.1f} {cpu:8.1f}  {verdict}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    frame = events(options.events)
    dataset = rb.read(frame, roles=rb.Roles(id="id", amount="amount", label="fraud", currency="EUR"))
    simulation = rb.simulate(book_of(conditions(options.rules)), dataset)
    begun = time.perf_counter()
    lab = rb.rule_lab(simulation)
    print(f"{options.events:,} events x {options.rules} rules; lab made in {time.perf_counter() - begun:.2f} s")
    print(f"{'milliseconds':<44} {'median':>8} {'least':>8} {'most':>8} {'cpu':>8}")
    rows = list(lab._rows.values())  # noqa: SLF001
    row = next(one for one in rows if one.params and one.rule.status == "live")
    control = next(iter(row.params.values()))
    other = next(one for one in rows if one is not row)
    seen = []

    def switch(turn: int) -> None:
        other.live.value = turn % 2 == 1
        seen.append(lab._view.value)  # noqa: SLF001

    def drag(turn: int) -> None:
        control.slider.index = (7 * turn + 3) % len(control.settings)
        seen.append(lab._view.value)  # noqa: SLF001

    def outcome(turn: int) -> None:
        other.outcome.value = ("block", "challenge", "review")[turn % 3]
        seen.append(lab._view.value)  # noqa: SLF001

    waited("a rule on or off", switch, options.rounds)
    waited("another outcome", outcome, options.rounds)
    waited("a parameter dragged", drag, options.rounds)
    waited("a rule on or off, a parameter moved before", switch, options.rounds)
    assert not lab.errors, lab.errors
    assert len(set(seen)) > 5, "the HTML has to change"
    after = rb.simulate(lab.book, dataset)
    assert lab.result.flips == int((simulation.hits.resolution.level != after.hits.resolution.level).sum())
    measures = lab.result.frame("measures").set_index("measure")
    assert measures.loc["alerts", "after"] == after.alerts
    begun = time.perf_counter()
    bundle = lab._repr_mimebundle_()
    print(f"static twin: {time.perf_counter() - begun:.2f} s, {len(bundle['text/html']) / 1000:.0f} kB of HTML")


if __name__ == "__main__":
    main()
