"""What the collector takes at most, so that nothing in it grows without bound."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The defaults fit the SDKs: they send batches of at most 500 kB (Segment) or 4 MB (RudderStack)."""

    body_bytes: int = 4 * 1024 * 1024  #: of a request as it is sent
    inflated_bytes: int = 8 * 1024 * 1024  #: of the same without gzip
    items: int = 2_500  #: of one request
    pending_bytes: int = (
        64 * 1024 * 1024
    )  #: bodies being read and records that the broker has not acknowledged
    connections: int = 1_000  #: open at a time, also those that send nothing
    head_seconds: float = 10.0  #: for the first request of a connection to begin
    idle_seconds: float = 75.0  #: between two requests of a connection
    body_seconds: float = 20.0  #: for a body to arrive
    answer_seconds: float = 10.0  #: for the broker to acknowledge; SDKs wait 10 to 15 seconds for an answer
    stall_seconds: float = 10.0  #: without an acknowledgement, after which new requests are refused at once
