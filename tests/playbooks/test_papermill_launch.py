"""Does papermill alone run the launch of a rule with its defaults and two other sets?"""

from __future__ import annotations

import pytest
from playbooks.sets import SETS, ends_well


@pytest.mark.slow
@pytest.mark.parametrize("chosen", SETS)
def test_the_launch_ends_in_a_verdict(chosen, tmp_path):
    ends_well("rule_launch", chosen, tmp_path, ending="parquet")
