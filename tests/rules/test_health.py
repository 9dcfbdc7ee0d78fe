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


def test_the_orange_bar_is_the_finding_that_the_headline_names():
    from matplotlib.colors import to_hex
    from matplotlib.figure import Figure

    from riskbench.display.chart import ORANGE

    book = rb.RuleBook.from_yaml(
        "book: demo\ndomain: transactions\nrules:\n"
        '  - {id: TX-1, when: "model_score >= 0.3", outcome: challenge, status: live}\n'
        '  - {id: TX-2, when: "model_score >= 2", outcome: block, status: live}\n'
    )
    today = rb.simulate(book, rb.sample("transactions", region="ID", orders=20_000))
    health = rb.diagnose_rules(rb.watch_rules(today), appraisal=rb.appraise(today))
    ax = Figure().add_subplot()
    health._draw(ax)
    named = [text.get_text() for text in ax.get_yticklabels()]
    orange = [
        name for name, bar in zip(named, ax.patches, strict=True) if to_hex(bar.get_facecolor()) == ORANGE.lower()
    ]
    assert orange == [str(health.headline()[0].value).split(": ", 1)[1]]
