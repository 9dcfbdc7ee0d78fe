"""Does papermill alone run the weekly look at rules with its defaults and two other sets?"""

from __future__ import annotations

import pytest
from playbooks.sets import SETS, ends_well


@pytest.mark.slow
@pytest.mark.parametrize("chosen", SETS)
def test_rule_health_ends_in_a_list_of_work(chosen, tmp_path):
    ends_well("rule_health", chosen, tmp_path)
