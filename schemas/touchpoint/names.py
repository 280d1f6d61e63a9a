"""The canonical form of names: one spelling for 'Order Placed', `order-placed` and `order_placed`."""

import re
from functools import lru_cache
from typing import Final

from schemas.touchpoint.characters import AROUND, FULL_WIDTH, INVISIBLE

#: Spaces of any kind, hyphens, dashes and the minus sign.
_BREAK: Final = re.compile("[\\s_\u2010-\u2015\u2212-]+")


@lru_cache(maxsize=4096)  # every event carries some, and a deployment has few
def canonical(name: str) -> str:
    """Trimmed, in lower case, each run of spaces, dashes and underscores as one underscore.

    Without invisible characters, full-width forms as ASCII. A canonical name is its own canonical form, and takes no
    more bytes than the name did. A name that shows nothing has the empty one.
    """
    if not (name.isascii() and name.isprintable()):
        name = INVISIBLE.sub("", name).translate(FULL_WIDTH)
    name = AROUND.sub("", name)
    lower = name.lower() if name.isascii() else "".join(map(_lower, name))
    return _BREAK.sub("_", lower)


def _lower(character: str) -> str:
    """The lower case of a character, unless it takes more bytes: limits are checked on what a source wrote."""
    lower = character.lower()
    return (
        lower
        if len(lower.encode("utf-8", "surrogatepass")) <= len(character.encode("utf-8", "surrogatepass"))
        else character
    )
