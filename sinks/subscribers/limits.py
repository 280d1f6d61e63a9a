"""What the service takes at most, so that nothing in it grows without bound."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Of one process. Past a limit a request is refused with 429 or 503, and a stream ends with an id to go on from."""

    connections: int = 4_000  #: open at a time, streams and those that send nothing among them
    head_seconds: float = 10.0  #: for the first request of a connection to begin
    body_bytes: int = 256 * 1024  #: of a batch look-up
    body_seconds: float = 10.0  #: for it to arrive
    lookups: int = 200  #: people of one batch
    waits: int = 200  #: requests that wait for an event at the same time
    wait_seconds: float = 10.0  #: the longest that `within` may ask for
    start_seconds: float = 10.0  #: for which a stream waits for the service to catch up, before it is refused
    streams: int = 2_000  #: streams of events that are open
    catching_up: int = (
        8  #: of them, those that read the past from Kafka at the same time; others wait for their turn
    )
    window_events: int = 20_000  #: newest events of each stream that are kept in memory for all its readers
    window_bytes: int = 32 * 1024 * 1024  #: of these events, as Kafka has them
    heartbeat_seconds: float = 10.0  #: of silence, after which a stream tells where it is
    stall_seconds: float = 60.0  #: for which a reader of a stream may take nothing before it is disconnected
    profiles: int = 100  #: people that one stream may be limited to
    rows: int = 1_000  #: of one page of a timeline, of signals or of evidence
    fresh_seconds: float = 30.0  #: age of the table beyond which the service is not ready
