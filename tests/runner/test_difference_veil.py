"""Does the page of two runs, or of many, name anybody?"""

from __future__ import annotations

import json

import pandas as pd
import pytest

from riskbench.privacy import Key
from riskbench.runner.difference_page import _named, _personal
from riskbench.runner.gate import RefusedError, check_page, passed

KEY = Key(b"a key for tests only")


def test_each_personal_part_of_a_key_of_several_columns_is_a_pseudonym():
    rows = pd.DataFrame(
        {
            "column": ["buyer_id, seller_id", "seller_id, rule", "buyer_id, seller_id", "wallet, rule"],
            "entry": ["BUYER1 · SEL1", "SEL1 · r1", "BUYER1 · cut", "W-1 · r1"],
            "change": ["gained"] * 4,
            "what": ["orders 12", "wallet W-1; orders 3", "orders 1", "orders 1"],
        }
    )
    rows.loc[2, "entry"] = "BUYER1 with · in it · S"
    told = _named(rows, {"wallet": "wallet"}, KEY)
    assert told["entry"][0] == f"{KEY.pseudonym('BUYER1', 'person')} · SEL1"
    assert told["entry"][1] == "SEL1 · r1"
    assert "BUYER1" not in told["entry"][2]
    assert told["entry"][3] == f"{KEY.pseudonym('W-1', 'wallet')} · r1"
    assert told["what"][1] == "wallet (hidden); orders 3"
    assert rows["entry"][0] == "BUYER1 · SEL1"


def test_the_run_s_own_notebook_tells_its_personal_columns(tmp_path):
    assert _personal(None) == _personal(tmp_path) == {}
    (tmp_path / "notebook.ipynb").write_text("{")
    assert _personal(tmp_path) == {}
    story = {"session": {"personal": {"wallet": "wallet"}}, "run": {}}
    held = {"cells": [], "metadata": {"riskbench": {"page": story}}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "notebook.ipynb").write_text(json.dumps(held))
    assert _personal(tmp_path) == {"wallet": "wallet"}


def test_a_page_that_tells_is_not_passed_on():
    assert passed("<p>fine</p>") == "<p>fine</p>"
    page = "<p>card 4111 <b>1111</b> 1111 1111</p>"
    assert check_page(page)
    with pytest.raises(RefusedError, match="card number") as caught:
        passed(page)
    assert "1111" not in str(caught.value)
