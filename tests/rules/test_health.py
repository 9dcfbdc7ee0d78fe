"""Does a weekly look say that there was nothing to look at, where there was nothing?"""

import pytest

import riskbench as rb

RULE = """
rules:
  - {id: TX-1, when: "model_score >= 0.3", outcome: challenge, status: %s}
"""


@pytest.mark.parametrize(
    ("rules", "said"), [("", "no book given"), (RULE % "draft", "no live rule: "), (RULE % "live", None)]
)
def test_without_a_live_rule_nothing_is_called_in_order(rules, said):
    book = rb.RuleBook.from_yaml(f"book: demo\ndomain: transactions\n{rules}")
    today = rb.simulate(book, rb.sample("transactions", region="ID", orders=20_000))
    first = rb.diagnose_rules(rb.watch_rules(today), appraisal=rb.appraise(today)).headline()[0]
    if said is None:
        assert first.value is not None
    else:
        assert first.value is None
        assert said in first.note
        assert "book=" in first.note
