"""When a profile's signals were published last: enough to know after a restart what subscribers have heard."""

import struct
from dataclasses import dataclass
from typing import Final

_LAYOUT: Final = struct.Struct(">qqqQ")
NEVER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, order=True)
class Publication:
    """The signals that held at `now` are the ones that subscribers know: they follow from the timeline."""

    version: int  #: of the newest input then applied
    now: int  #: UTC ms
    due: int  #: the next deadline, UTC ms; NEVER if there is none
    meanings: int  #: fingerprint of the catalogue and the rules under which they held

    def encode(self) -> bytes:
        """As the changelog holds it."""
        return _LAYOUT.pack(self.version, self.now, self.due, self.meanings)

    @classmethod
    def decode(cls, value: bytes) -> "Publication":
        """Back from `encode`. Raises struct.error."""
        return cls(*_LAYOUT.unpack(value))
