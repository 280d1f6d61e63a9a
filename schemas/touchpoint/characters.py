"""Characters that show nothing, and full-width forms: what makes two texts differ that look alike."""

import re
from typing import Final

CONTROLS: Final = r"\x00-\x1f\x7f-\x9f"
#: Characters that show nothing: zero-width spaces and joiners, soft hyphens, direction marks, the byte order mark, and
#: fillers (Hangul, Braille's blank). They come with what people copy from web pages and documents.
_FILLERS: Final = "\u034f\u115f\u1160\u2800\u3164\uffa0"
INVISIBLES: Final = f"{_FILLERS}\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
INVISIBLE: Final = re.compile(f"[{INVISIBLES}]")
#: Space, control and invisible characters at the two ends of a text.
AROUND: Final = re.compile(rf"\A[\s{CONTROLS}{INVISIBLES}]+|[\s{CONTROLS}{INVISIBLES}]+\Z")
#: Full-width forms (U+FF01 to U+FF5E) and the ideographic space, as East Asian keyboards write ASCII.
FULL_WIDTH: Final = {0xFF00 + code: code + 0x20 for code in range(1, 0x5F)} | {0x3000: 0x20}

_NOTHING: Final = re.compile(rf"[\s{CONTROLS}{INVISIBLES}]*")


def shows_nothing(text: str) -> bool:
    """Whether a text is empty or has space, control and invisible characters only."""
    return _NOTHING.fullmatch(text) is not None
