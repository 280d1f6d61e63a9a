"""The canonical form of names: one spelling for 'Order Placed', `order-placed` and `order_placed`.

Identifier types have a form of their own, since sources write them as the fields of their programs: `userEmail`.
"""

import re
from functools import lru_cache
from typing import Final

from schemas.touchpoint.characters import AROUND, FULL_WIDTH, INVISIBLE

#: Spaces of any kind, hyphens, dashes and the minus sign.
_BREAK: Final = re.compile("[\\s_\u2010-\u2015\u2212-]+")
#: In the name of an identifier type a path breaks words, too: user.email, contact/phone.
_TYPE_BREAK: Final = re.compile("[\\s_./\\\\\u2010-\u2015\u2212-]+")
#: Where a word of a camelCase name begins: user|Email, user|ID, IP|Address.
_HUMP: Final = re.compile("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_MAX_TYPE_CHARACTERS: Final = 64


@lru_cache(maxsize=4096)  # every event carries some, and a deployment has few
def canonical(name: str) -> str:
    """Trimmed, in lower case, each run of spaces, dashes and underscores as one underscore.

    Without invisible characters, full-width forms as ASCII. A canonical name is its own canonical form, and takes no
    more bytes than the name did. A name that shows nothing has the empty one.
    """
    return _BREAK.sub("_", _in_lower_case(_visible(name)))


@lru_cache(maxsize=4096)
def identifier_type(name: str) -> str:
    """The canonical form of an identifier type: words are also broken at dots, slashes and humps of camelCase.

    `userEmail` and `user.email` are user_email, `IPAddress` is ip_address. A canonical name is its own canonical form.
    Humps break no words if the name had more than 64 characters then, which a type's name may not have.
    """
    name = _visible(name)
    flat = _TYPE_BREAK.sub("_", _in_lower_case(name))
    split = _TYPE_BREAK.sub("_", _in_lower_case(_HUMP.sub("_", name)))
    return split if len(split) <= _MAX_TYPE_CHARACTERS else flat


@lru_cache(maxsize=4096)
def type_letters(name: str) -> str:
    """What all spellings of an identifier type have in common: its canonical form without breaks.

    `useremail`, `userEmail` and `user_email` have the same letters. A name of breaks only keeps its canonical form.
    """
    name = identifier_type(name)
    return name.replace("_", "") or name


def _visible(name: str) -> str:
    if not (name.isascii() and name.isprintable()):
        name = INVISIBLE.sub("", name).translate(FULL_WIDTH)
    return AROUND.sub("", name)


def _in_lower_case(name: str) -> str:
    return name.lower() if name.isascii() else "".join(map(_lower, name))


def _lower(character: str) -> str:
    """The lower case of a character, unless it takes more bytes: limits are checked on what a source wrote."""
    lower = character.lower()
    return (
        lower
        if len(lower.encode("utf-8", "surrogatepass")) <= len(character.encode("utf-8", "surrogatepass"))
        else character
    )
