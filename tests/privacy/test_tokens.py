"""Does a pseudonym tell the same thing for the same value, and nothing to anybody without the key?"""

from __future__ import annotations

import copy
import os
import pickle
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskbench.errors import ConfigError
from riskbench.privacy import Key, current_key, hide, key_file, key_near, pseudonym, read_key, tokens

ONE, OTHER = Key(b"one key, long enough"), Key(b"another, long enough")


@given(st.text(min_size=1), st.text(min_size=1))
def test_the_same_value_has_the_same_pseudonym_under_one_key_only(value, other):
    assert ONE.pseudonym(value, "buyer") == ONE.pseudonym(f" {value} ", "buyer")
    assert ONE.pseudonym(value, "buyer") != OTHER.pseudonym(value, "buyer")
    if value.strip() != other.strip():
        assert ONE.pseudonym(value, "buyer") != ONE.pseudonym(other, "buyer")


def test_one_address_has_one_pseudonym_however_it_is_written():
    assert ONE.pseudonym("2001:db8:0:0:0:0:0:1", "ip") == ONE.pseudonym("2001:DB8::1", "ip")
    assert ONE.pseudonym("AA-BB-CC-DD-EE-FF", "device") == ONE.pseudonym("aa:bb:cc:dd:ee:ff", "device")
    assert hide("203.0.113.9", key=ONE) == pseudonym("203.0.113.9", key=ONE) == ONE.pseudonym("203.0.113.9", "ip")


def test_a_key_is_never_shown():
    for told in (repr(ONE), str(ONE), f"{ONE}", str([ONE])):
        assert "long enough" not in told
    with pytest.raises(TypeError):
        pickle.dumps(ONE)
    with pytest.raises(TypeError):
        copy.copy(ONE)
    with pytest.raises(ConfigError) as told:
        Key(b"short-secret")
    assert "short-secret" not in str(told.value)


def test_a_folder_has_one_key_for_its_owner_alone(tmp_path):
    path = key_file(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    held = path.read_bytes()
    assert key_file(tmp_path) == path
    assert path.read_bytes() == held
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    inside = tmp_path / "run"
    inside.mkdir()
    assert key_near(inside).pseudonym("x", "id") == read_key(path).pseudonym("x", "id")
    assert key_near(tmp_path / "a" / "b" / "c") is None


def test_processes_that_start_together_make_one_key(tmp_path):
    code = (
        "import sys; from riskbench.privacy import key_file, read_key; "
        "print(read_key(key_file(sys.argv[1])).pseudonym('x', 'id'))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in started}) == 1
    assert [process.returncode for process in started] == [0] * 4


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be made"):
        key_file(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_key(tmp_path / "nothing")
    (tmp_path / tokens.NAME).write_text("")
    with pytest.raises(ConfigError, match="too short"):
        key_file(tmp_path)


def test_the_environment_names_the_key_and_a_broken_one_counts_as_none(tmp_path, monkeypatch):
    monkeypatch.delenv(tokens.KEY, raising=False)
    monkeypatch.setenv(tokens.KEY_FILE, str(key_file(tmp_path)))
    of_file = current_key().pseudonym("x", "id")
    assert of_file == read_key(tmp_path / tokens.NAME).pseudonym("x", "id")
    monkeypatch.setenv(tokens.KEY, "a key of the environment")
    assert current_key().pseudonym("x", "id") == Key(b"a key of the environment").pseudonym("x", "id")
    own = []
    for broken in ("short", ""):
        monkeypatch.setenv(tokens.KEY, broken)
        monkeypatch.setenv(tokens.KEY_FILE, str(tmp_path / "nothing"))
        own.append(current_key().pseudonym("x", "id"))
    assert own[0] == own[1] != of_file


def test_without_a_key_each_process_has_its_own():
    code = "from riskbench.privacy import current_key; print(current_key().pseudonym('x', 'id'))"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RISKBENCH_PRIVACY")}
    told = {
        subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(told) == 2
