"""What on a page could tell who somebody is, and how is it hidden?"""

from riskbench.privacy.columns import is_value, personal_columns, personal_kind, plain_name
from riskbench.privacy.redaction import Finding, find, hide, pseudonym
from riskbench.privacy.tokens import Key, current_key, key_file, key_near, read_key

__all__ = [
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
]
