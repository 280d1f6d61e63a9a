"""One spelling for each identifier value. Every normaliser keeps what it cannot read, and is idempotent and total."""

import re
import unicodedata
from collections.abc import Callable
from typing import Final, TypeAlias

import idna
import phonenumbers

from schemas.touchpoint.characters import AROUND, CONTROLS, FULL_WIDTH, INVISIBLE

#: value, default region → normalised value.
Normaliser: TypeAlias = Callable[[str, str], str]

#: Control characters and half surrogates, which UTF-8 cannot hold.
_UNFIT: Final = re.compile(rf"[{CONTROLS}\ud800-\udfff]")
_REPLACEMENT: Final = "\ufffd"

#: Quotes that people and exports put around a value.
QUOTES: Final = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "\u2018": "\u2019", "«": "»"}
_PHONE_SEPARATORS: Final = re.compile(r"[\s().\-/\u2010-\u2015\u2212]+")
_EXTENSION: Final = re.compile(r";ext=[0-9]+\Z")
#: Numbers shorter than this are no subscriber's.
_PHONE_DIGITS: Final = 3
_SAME_DIGITS: Final = 6


def clean(value: str) -> str:
    """The value without the space, control and invisible characters around it.

    Inside, a control character or half a surrogate pair becomes U+FFFD: deleting it would make one value of two.
    """
    if value.isascii() and value.isprintable():
        return value.strip(" ")
    return _UNFIT.sub(_REPLACEMENT, AROUND.sub("", value))


def keep(value: str, _region: str) -> str:
    """Only `clean`: for opaque identifiers, of which every character matters."""
    return clean(value)


def lower(value: str, _region: str) -> str:
    """Without case, invisible characters and full-width forms: for what people type, and hexadecimal identifiers.

    In NFC (RFC 6532 section 3.1), since keyboards differ in how they compose accents.
    """
    text = clean(value)
    if text.isascii():
        return text.lower()
    text = INVISIBLE.sub("", text).translate(FULL_WIDTH)
    return clean(unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower()))


def email(value: str, region: str) -> str:
    """Lower case, the domain in its ASCII form (IDNA 2008 with UTS 46 mapping) and without the root's dot.

    What people and programs put around an address goes: `mailto:`, angle brackets with a name before them, quotes.
    Dots and +tags stay: at most providers they tell mailboxes apart.
    """
    text = lower(value, region)
    while (bare := _unwrapped(text)) != text:
        text = bare
    local, at, domain = text.rpartition("@")
    if not at:
        return text
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except ValueError:  # UnicodeError and idna.IDNAError are ValueErrors
            return text
    return f"{local.rstrip()}@{domain.strip('. ')}" if domain.strip(". ") else text


def phone(value: str, region: str) -> str:
    """E.164 (+ and digits) if the number is possible in its country; else the text without separators.

    An extension stays, as RFC 3966 writes it: `+49301234567;ext=12`. `region` (ISO 3166, two letters) is the country
    of numbers written without a country code; "" for none.
    """
    text = unquoted(lower(value, region)).removeprefix("tel:").strip()
    bare = _without_separators(text)
    if sum(map(str.isdigit, bare)) < _PHONE_DIGITS:
        return bare
    for candidate in (text, bare):
        number = _e164(candidate, region)
        # some impossible numbers lose a digit each time they are read: those are not numbers
        if number is not None and _e164(number, region) == number:
            return number
    return bare


def is_placeholder_phone(number: str) -> bool:
    """Whether a normalised phone number is nobody's: a country code alone, or followed by zeros or one repeated digit.

    Six equal digits and more count as repeated, since a small country's real numbers may be four or five equal ones.
    """
    digits = re.sub(r"\A(?:\+|00)", "", _EXTENSION.sub("", number))
    if not re.fullmatch(r"[0-9]*", digits):
        return False
    if len(digits) < _PHONE_DIGITS or _is_one_digit(digits):
        return True
    if digits == number:
        return False
    return any(
        int(digits[:length]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE
        and (not digits[length:].strip("0") or _is_one_digit(digits[length:]))
        for length in (1, 2, 3)
    )


def unquoted(text: str) -> str:
    """The text without the quotes around it, one pair after the other."""
    while len(text) > 1 and QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def is_region(region: str) -> bool:
    """Whether a default region is one that numbers can be read in."""
    return region == "" or region in phonenumbers.SUPPORTED_REGIONS


def _unwrapped(text: str) -> str:
    text = unquoted(text.strip())
    if text.startswith("mailto:"):
        return text.removeprefix("mailto:").partition("?")[0]
    before, bracket, inside = text.partition("<")
    if bracket and inside.endswith(">") and "@" in inside and "@" not in before:
        return inside[:-1]
    return text


def _without_separators(text: str) -> str:
    """The text without what separates digits, nor quotes or `tel:` that it then begins with.

    In NFC again: without the space between them a letter and an accent become one character.
    """
    while (bare := unquoted(_PHONE_SEPARATORS.sub("", text)).removeprefix("tel:")) != text:
        text = unicodedata.normalize("NFC", bare)
    return text


def _is_one_digit(digits: str) -> bool:
    return len(digits) >= _SAME_DIGITS and len(set(digits)) == 1


def _e164(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    main = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return f"{main};ext={number.extension}" if number.extension else main


#: The names that a policy may use.
NORMALISERS: Final[dict[str, Normaliser]] = {"email": email, "phone": phone, "lower": lower, "none": keep}
