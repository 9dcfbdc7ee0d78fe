"""Does a password stay out of what is written, and do settings come from where they should?"""

from __future__ import annotations

import re

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
        ("https://x.invalid/a@b", "https://***@b"),
        ("at postgresql://me:s3c@r3t/pw@127.0.0.1:5999/db now", "at postgresql://***@127.0.0.1:5999/db now"),
        ("'postgresql://me:s3c/r3tpw@h/db'", "'postgresql://***@h/db'"),
        ("postgres//me:s3cr3tpw@h/db", "postgres//***@h/db"),
        ("postgresql://me:s3c?r#t@h/db", "postgresql://***@h/db"),
        ("postgresql://ana@db/risk", "postgresql://ana@db/risk"),
        ("<td>https://x.invalid/</td><td>ana@x.invalid</td>", "<td>https://x.invalid/</td><td>ana@x.invalid</td>"),
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


PARTS = st.text(st.sampled_from("abXY79%&?#+~!-_:/@="), min_size=1, max_size=12)


@given(PARTS)
def test_no_part_of_any_password_is_told(password):
    url = f"postgresql://me:{password}@h.invalid/db"
    assert redact(f"could not reach {url}, sorry") in {
        "could not reach postgresql://***@h.invalid/db, sorry",
        "could not reach postgresql://me:***@h.invalid/db, sorry",
    }
    known = secrets_in(url)
    for part in re.split("[:/@]", password):
        if len(part) >= 3:
            assert part not in redact(f'invalid integer value "{part}" for connection option "port"', known)


def test_a_short_secret_is_masked_as_a_word_and_a_picture_stays_whole():
    known = secrets_in("postgresql://me:s3c/r3tpw@h/db")
    assert redact('invalid value "s3c"', known) == 'invalid value "***"'
    assert redact("iVBORs3cw0KGgo", known) == "iVBORs3cw0KGgo"


@pytest.mark.parametrize("password", ["a'bcd e\"f", "s3c ret", 'q"uote'])
def test_a_password_with_a_blank_or_a_quote_is_found(password):
    known = secrets_in(f"postgresql://me:{password}@h/db")
    assert password in known
    assert redact(f"at postgresql://me:{password}@h/db", known) == "at postgresql://me:***@h/db"


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
