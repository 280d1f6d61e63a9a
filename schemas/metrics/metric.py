"""What a metric is, what each label holds, and the bounds of histograms."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

#: What each label holds.
LABELS: Final = {
    "cause": "why profiles changed: `link`, `asserted`, `contested` (an identifier is shared), `order` (late evidence),"
    " `component_size` (links would unite too many identifiers), `erasure`, `unlink`, `policy` (a changed identity"
    " policy)",
    "core": "`native` with its version, or `python`",
    "endpoint": "name of an endpoint in TOUCHLINE_WEBHOOKS",
    "generation": "of Python's garbage collector: 0, 1 or 2",
    "kind": "of a state's items, of a change of profiles (`MERGED`, `SPLIT`, `ERASED`), or of a request to `serve`",
    "level": "of a log record: `WARNING`, `ERROR` or `CRITICAL`",
    "outcome": "`accepted`, or the reason of the refusal; of a message to an endpoint: `DELIVERED`, `RETRY`,"
    " `WITHHELD`, `SUPERSEDED`, `DEAD`",
    "part": "`clickhouse` or `kafka`",
    "partition": "number of a partition",
    "meanings": "fingerprint of the identity policy, the catalogue and the journey rules",
    "process": "`worker`, `loader`, `collector`, `page`, `serve` or `webhooks`",
    "protocol": "`touchpoints`, `segment`, `cloudevents`, `posthog` or `snowplow`",
    "reason": "of a dead letter (schemas/errors.py) or of a refused link: `unique`, `limit`, `gate`"
    " (an identifier that is closed or contested, a profile that is quarantined), or `component_size` (links would"
    " unite too many identifiers)",
    "route": "the path of a request, its variable parts by name",
    "stage": "the agent: `stitch`, `identity`, `journeys` or `accounts`",
    "state": "the state of an agent: `stitch`, `identity`, `journeys` or `accounts`",
    "status": "HTTP status",
    "stream": "which events a reader asked for",
    "table": "table in ClickHouse",
    "topic": "topic in Kafka, with its prefix",
    "version": "release of Touchline",
    "what": "`owners` (and copies) or `profiles`",
}

#: Bounds in seconds of histograms: of what takes as long as a request, and of what may last as long as an outage.
SHORT: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LONG: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
#: The same of what a source may send late: to a month.
LATE: Final = (1, 10, 60, 300, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `buckets` are a histogram's upper bounds."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def samples(self) -> tuple[str, ...]:
        """The names under which Prometheus keeps its samples."""
        if self.kind == "counter":
            return (f"{self.name}_total",)
        return (
            tuple(f"{self.name}_{end}" for end in ("bucket", "sum", "count"))
            if self.kind == "histogram"
            else (self.name,)
        )
