"""What on a page could tell who somebody is, and how is it hidden?"""

from riskbench.privacy.columns import is_value, personal_columns, personal_kind, plain_name
from riskbench.privacy.redaction import Finding, find, hide, pseudonym, seen
from riskbench.privacy.tokens import KEY, KEY_FILE, Key, current_key, key_file, key_near, read_key

__all__ = [
    "KEY",
    "KEY_FILE",
    "Finding",
    "Key",
    "current_key",
    "find",
    "hide",
    "is_value",
    "key_file",
    "key_near",
    "personal_columns",
    "personal_kind",
    "plain_name",
    "pseudonym",
    "read_key",
    "seen",
]
