"""Pseudonyms of identifier values, and a check value that tells two keys apart without showing either."""

import hashlib
import hmac
import re
from typing import Final, NamedTuple

KEY_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_PSEUDONYM: Final = re.compile(r"hmac:[A-Za-z0-9_.-]{1,32}:[0-9a-f]{32}")
#: The check value is an HMAC of this text. No pseudonym is: their texts contain a separator.
_CHECKED: Final = b"touchline key check"


class Pseudonyms(NamedTuple):
    """The key that hides values (empty: none), and its name, which stands in every pseudonym."""

    secret: bytes
    key_id: str

    def of(self, type_: str, value: str) -> str:
        """The pseudonym of a normalised value. Equal values of different types have different pseudonyms."""
        digest = self._digest(f"{type_}\x1f{value}".encode())
        return f"hmac:{self.key_id}:{digest}"

    def check_value(self) -> str:
        """32 hexadecimal digits that identify the key and do not reveal it."""
        return self._digest(_CHECKED)

    def _digest(self, text: bytes) -> str:
        return hmac.new(self.secret, text, hashlib.sha256).hexdigest()[:32]


def key_id_of(value: str) -> str:
    """The name of the key that a pseudonym was made with; empty if the value is no pseudonym."""
    return value[len("hmac:") : -33] if value.startswith("hmac:") and is_pseudonym(value) else ""


def is_pseudonym(value: str) -> bool:
    """Whether a value is a pseudonym, under any key. Pseudonyms are never changed."""
    return _PSEUDONYM.fullmatch(value) is not None
