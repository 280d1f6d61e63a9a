"""What the doctor looks at, and what it can find there."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from schemas.errors import TouchlineError

#: Check → what it looks at, in the order in which they are made. The names are part of `touchline doctor --json`.
CHECKS: Final = {
    "settings": "how Kafka and ClickHouse are reached, and who may read the files of secrets",
    "policy": "the identity policy, the catalogue and the journey rules that these settings name",
    "brokers": "every broker answers where the others say that it is",
    "kafka-version": "the brokers are of a version that Touchline is tested with",
    "topics": "every topic is there, with TOUCHLINE_PARTITIONS partitions",
    "topic-settings": "retention, compaction and record size of each topic are as Touchline makes them",
    "replicas": "every partition has a leader, all of its replicas, and TOUCHLINE_REPLICATION of them",
    "rights": "Kafka lets nobody write who need not, and has the rights of `touchline topics --acls`",
    "key": "the pseudonymisation key is the one that this deployment knows",
    "processes": "somebody runs each consumer group",
    "meanings": "every process answers, is ready, and goes by one release, policy, catalogue and journey rules",
    "lag": "no consumer group is far behind",
    "kafka-disk": "the brokers have room on their disks",
    "clickhouse": "ClickHouse answers, and its tables are those of this version",
    "clickhouse-version": "ClickHouse is of a version that Touchline is tested with",
    "clickhouse-users": "whoever writes has a password, and the analyst reads and cannot write",
    "catalogue": "the views go by the catalogue and the journey rules that these settings name",
    "clock": "the clocks of this machine and of ClickHouse agree",
    "clickhouse-disk": "ClickHouse has room on its disks",
    "parts": "no table has so many parts that ClickHouse slows inserts down",
    "registry": "the schema registry knows the schemas of the public topics",
}


class Severity(StrEnum):
    """What a finding asks for."""

    FAULT = "fault"  #: does not work, or is not safe: mend it
    WARNING = "warning"  #: works, and may not for long
    UNKNOWN = "unknown"  #: could not be looked at


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be: two sentences."""

    check: str
    severity: Severity
    what: str
    mend: str

    def to_dict(self) -> dict[str, str]:
        """The form of `touchline doctor --json`."""
        return {"severity": self.severity.value, "what": self.what, "mend": self.mend}


class Examination:
    """Collects findings; a check that fails itself is a finding, and the others go on."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.made: list[str] = []

    def fault(self, check: str, what: str, mend: str) -> None:
        """Note what does not work or is not safe."""
        self.findings.append(Finding(check, Severity.FAULT, what, mend))

    def warn(self, check: str, what: str, mend: str) -> None:
        """Note what may not work for long."""
        self.findings.append(Finding(check, Severity.WARNING, what, mend))

    def unknown(self, check: str, what: str, mend: str) -> None:
        """Note what could not be looked at."""
        self.findings.append(Finding(check, Severity.UNKNOWN, what, mend))

    def make(self, check: str, look: Callable[[], object], mend: str = "") -> bool:
        """Make a check. Returns whether it could be made: an error of Touchline is a fault, with its own sentence."""
        assert check in CHECKS
        self.made.append(check)
        try:
            look()
        except TouchlineError as error:
            what, _, fix = str(error).partition(": ")
            self.fault(check, what, fix or mend)
            return False
        return True

    def skip(self, checks: Iterable[str], because: str) -> None:
        """Note checks that cannot be made."""
        for check in checks:
            self.made.append(check)
            self.unknown(
                check,
                f"not looked at, because {because}",
                f"mend that first, then ask again: {CHECKS[check]}",
            )

    @property
    def ill(self) -> bool:
        """Whether there is any fault."""
        return any(one.severity is Severity.FAULT for one in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The form of `touchline doctor --json`."""
        return {
            "well": not self.ill,
            "checks": [
                {
                    "check": check,
                    "looks_at": CHECKS[check],
                    "state": self._state(check),
                    "findings": [one.to_dict() for one in self._of(check)],
                }
                for check in CHECKS
                if check in self.made
            ],
        }

    def _state(self, check: str) -> str:
        found = {one.severity for one in self._of(check)}
        return next((severity.value for severity in Severity if severity in found), "well")

    def _of(self, check: str) -> Iterator[Finding]:
        return (one for one in self.findings if one.check == check)
