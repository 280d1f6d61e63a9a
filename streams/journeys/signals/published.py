"""When a profile's signals were published last: enough to know after a restart what subscribers have heard."""

from dataclasses import dataclass
from typing import Final

from schemas.encoding.record_types import SIGNALS_PUBLISHED
from schemas.encoding.signal_encoders import signals_published

NEVER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, order=True)
class Publication:
    """The signals that held at `now` are the ones that subscribers know: they follow from the timeline."""

    version: int  #: of the newest input then applied
    now: int  #: UTC ms
    due: int  #: the next deadline, UTC ms; NEVER if there is none
    meanings: int  #: fingerprint of the catalogue and the rules under which they held

    def encode(self) -> bytes:
        """As the changelog holds it: a SignalsPublished."""
        due_at = None if self.due == NEVER else self.due
        return signals_published(self.version, self.now, due_at, self.meanings)

    @classmethod
    def decode(cls, value: bytes) -> "Publication":
        """Back from `encode`, of any released version. Raises ContractError."""
        record = SIGNALS_PUBLISHED.decode(value)
        due = NEVER if record["due_at"] is None else record["due_at"]
        return cls(record["version"], record["now"], due, record["meanings"])
