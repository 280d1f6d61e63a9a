"""One spelling for each identifier value. Every normaliser keeps what it cannot read, and is idempotent."""

import re
import unicodedata
from collections.abc import Callable
from typing import Final, TypeAlias

import idna
import phonenumbers

#: value, default region → normalised value.
Normaliser: TypeAlias = Callable[[str, str], str]

_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_PHONE_SEPARATORS: Final = re.compile(r"[\s().\-/]+")


def clean(value: str) -> str:
    """The value without surrounding space, half surrogates (no UTF-8 has them) and control characters.

    One of the latter separates the parts of names.
    """
    return _UNFIT.sub("", value).strip()


def keep(value: str, _region: str) -> str:
    """Only `clean`: for opaque identifiers whose case matters."""
    return clean(value)


def lower(value: str, _region: str) -> str:
    """Without case: for identifiers that people type, and hexadecimal ones.

    In NFC (RFC 6532 section 3.1), since keyboards differ in how they compose accents.
    """
    text = clean(value)
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text.lower())


def email(value: str, region: str) -> str:
    """Lower case, the domain in its ASCII form (IDNA 2008 with UTS 46 mapping) and without the root's dot.

    Dots and +tags stay: at most providers they tell mailboxes apart.
    """
    text = lower(value, region)
    local, at, domain = text.rpartition("@")
    if not at:
        return text
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            return text
    return f"{local.rstrip()}@{domain.strip('. ')}" if domain.strip(". ") else text


def phone(value: str, region: str) -> str:
    """E.164 (+ and digits) if the number is possible in its country; else the text without separators.

    `region` (ISO 3166, two letters) is the country of numbers written without a country code; "" for none.
    """
    text = lower(value, region)
    bare = _PHONE_SEPARATORS.sub("", text)
    for candidate in (text, bare):
        number = _e164(candidate, region)
        # some impossible numbers lose a digit each time they are read: those are not numbers
        if number is not None and _e164(number, region) == number:
            return number
    return bare


def _e164(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


#: The names that a policy may use.
NORMALISERS: Final[dict[str, Normaliser]] = {"email": email, "phone": phone, "lower": lower, "none": keep}


def is_region(region: str) -> bool:
    """Whether a default region is one that numbers can be read in."""
    return region == "" or region in phonenumbers.SUPPORTED_REGIONS
