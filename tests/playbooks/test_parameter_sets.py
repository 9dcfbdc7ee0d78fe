"""Is every playbook run by papermill alone, with its defaults and with two other sets that it really takes?"""

from __future__ import annotations

from pathlib import Path

import pytest
from playbooks.sets import ANSWERS, ELSEWHERE, OWN, SETS, asked

from riskbench.runner.catalogue import find, shipped_folder
from riskbench.runner.parameters import given

FOLDER = shipped_folder()
assert FOLDER is not None
PLAYBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def test_no_playbook_is_left_out():
    assert sorted(ANSWERS) == sorted(ELSEWHERE) == sorted(OWN) == PLAYBOOKS
    text = "".join(path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("test_papermill_*.py")))
    assert [name for name in PLAYBOOKS if f'ends_well("{name}"' not in text] == []


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_sets_differ_from_the_defaults(playbook, tmp_path):
    spec = find(playbook).parameters
    for chosen in SETS[1:]:
        values = asked(playbook, chosen, tmp_path)
        assert given(spec, values)
        differing = {p.name for p in spec if p.name in values and values[p.name] != p.default}
        assert len(differing) >= 2, chosen
