"""Unknown types that look like a request for erasure. Their sender must hear that they erased nobody."""

import re
from typing import Final

from schemas.touchpoint.names import canonical

#: The type of a touchpoint that asks for the erasure of the identifiers that it carries.
ERASURE_REQUESTED: Final = "erasure_requested"
#: A regular expression for canonical names, in the syntax that Python and ClickHouse (RE2) share.
LIKELY_ERASURE: Final = (
    "erasure|erase_?(?:me|my|user|customer|person|data|account)|(?:gdpr|dsgvo|ccpa).*(?:delet|eras|remov|forg|l(?:ö|oe)sch)|rtbf|l(?:ö|oe)schantrag"
    "|forgotten|forget_?(?:me|my|user|customer|person)"
    "|(?:delet(?:e|ed|ion)|remov(?:e|ed|al))_?(?:of_?)?(?:me|my|user|customer|person|data|account|profile|request)"
    "|(?:user|customer|person|personal|data|account|profile|subject)_?(?:delet(?:e|ed|ion)|removal|remove)"
)
_LIKELY: Final = re.compile(LIKELY_ERASURE)


def looks_like_erasure(name: str) -> bool:
    """Whether a name, in any spelling, looks like a request for erasure."""
    return _LIKELY.search(canonical(name)) is not None
