"""Does a password stay out of what is written, and do settings come from where they should?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskbench.config import Settings, redact, redact_all, resolve, secrets_in, settings
from riskbench.errors import ConfigError

WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=6, max_size=20)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("postgresql://ana:pw@db/risk", "postgresql://ana:***@db/risk"),
        ("postgresql+psycopg://ana:p%40w@db:5432/risk?x=1", "postgresql+psycopg://ana:***@db:5432/risk?x=1"),
        ("postgresql://:pw@db", "postgresql://:***@db"),
        ("host=db password=pw user=ana", "host=db password=*** user=ana"),
        ("host=db password = 'p w' user=ana", "host=db password = *** user=ana"),
        ("https://x.invalid/?token=abc&y=1", "https://x.invalid/?token=***&y=1"),
        ("postgresql://db/risk?user=ana&password=pw", "postgresql://db/risk?user=ana&password=***"),
        ("two: a://b:c@d and e://f:g@h", "two: a://b:***@d and e://f:***@h"),
        ("https://x.invalid/a@b", "https://x.invalid/a@b"),
        ("mail ana@x.invalid at 10:30", "mail ana@x.invalid at 10:30"),
        ("passwords = many", "passwords = many"),
    ],
)
def test_passwords_are_masked_and_nothing_else(text, told):
    assert redact(text) == told
    assert redact(told) == told


@given(WORDS, WORDS)
def test_what_is_found_is_what_is_masked(user, password):
    url = f"postgresql://{user}:{password}@db/risk"
    assert password in secrets_in(url)
    assert secrets_in({"a": [url]}) == secrets_in(url)
    held = redact_all({"a": [url, f"x{password}y", 3, None]}, secrets_in(url))
    assert password not in str(held).replace(user, "")
    assert held["a"][2:] == [3, None]


def test_an_encoded_password_is_masked_in_both_forms():
    url = "postgresql://ana:p%40ss%2Fw0rd@db/risk"
    told = redact('FATAL: "p@ss/w0rd" refused (p%40ss%2Fw0rd)', secrets_in(url))
    assert "w0rd" not in told


def test_a_source_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("RISK_URL", "postgresql://ana:pw@db/risk")
    assert resolve("env:RISK_URL") == "postgresql://ana:pw@db/risk"
    assert resolve("x.parquet") == "x.parquet"
    with pytest.raises(ConfigError, match="env:RISK_URL"):
        resolve("env:RISK_ULR")


def test_arguments_win_over_environment_over_file_over_defaults(tmp_path, monkeypatch):
    for name in ("RISKBENCH_OUT", "RISKBENCH_STORE", "RISKBENCH_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    assert settings(tmp_path) == Settings()
    (tmp_path / "riskbench.toml").write_text('[run]\nout = "file"\ntimeout = 5\n')
    assert settings(tmp_path) == Settings(out="file", timeout=5.0)
    monkeypatch.setenv("RISKBENCH_OUT", "environment")
    assert settings(tmp_path).out == "environment"
    assert settings(tmp_path).with_arguments(out="argument", store=None).out == "argument"


@pytest.mark.parametrize("text", ["[run", "[run]\nuot = 1", '[run]\ntimeout = "soon"', "[run]\nout = 3"])
def test_a_wrong_setting_is_one_message(tmp_path, text):
    (tmp_path / "riskbench.toml").write_text(text)
    with pytest.raises(ConfigError):
        settings(tmp_path)
