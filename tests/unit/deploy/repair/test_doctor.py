"""What the doctor says about settings, and how it goes on when a part is down."""

from pathlib import Path

import pytest
from kafka.errors import TopicAuthorizationFailedError

from deploy.ports import free_port
from deploy.repair.doctor import clickhouse_checks, kafka_checks
from deploy.repair.doctor.examine import examine
from deploy.repair.doctor.findings import CHECKS, Examination, Severity
from deploy.repair.doctor.settings_checks import policy_checks, settings_checks
from schemas.errors import SettingsError, UnavailableError
from schemas.settings import Settings

KEY = "0123456789abcdef" * 4


def settings_of(**fields: object) -> list[tuple[str, str, str]]:
    found = Examination()
    settings_checks(Settings(**fields), found)  # type: ignore[arg-type]
    return [(one.severity.value, one.what, one.mend) for one in found.findings]


def test_the_defaults_are_well() -> None:
    assert settings_of() == []


def test_a_secret_that_others_may_read_is_found_with_the_command_that_mends_it(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text(KEY)
    secret.chmod(0o640)
    assert settings_of(pseudonym_key=f"@{secret}") == [
        ("warning", f"{secret} holds a secret and others on this machine may read it", f"chmod 600 {secret}")
    ]
    secret.chmod(0o600)
    assert settings_of(pseudonym_key=f"@{secret}") == []


@pytest.mark.parametrize(
    ("fields", "severity", "word"),
    [
        ({"brokers": "kafka:9092"}, "fault", "without TLS"),
        ({"brokers": "kafka:9092", "kafka_plaintext": "allow"}, "warning", "without TLS"),
        ({"kafka_security": "sasl_ssl"}, "fault", "TOUCHLINE_KAFKA_USER is not set"),
        ({"kafka_security": "ssl", "kafka_ca": "/no/ca.pem"}, "fault", "TOUCHLINE_KAFKA_CA"),
        (
            {"clickhouse_url": "clickhouse://me:pw@db.local/shop"},
            "warning",
            "ClickHouse at db.local is reached without",
        ),
        ({"pseudonym_key": KEY}, "warning", "TOUCHLINE_PSEUDONYM_KEY holds its secret in the environment"),
        ({"pseudonym_key": "@/no/key"}, "fault", "/no/key cannot be read"),
    ],
)
def test_what_is_wrong_with_settings_is_a_sentence_and_a_remedy(
    fields: dict[str, str], severity: str, word: str
) -> None:
    (found,) = settings_of(**fields)
    assert found[0] == severity
    assert word in found[1]
    assert found[2]
    assert KEY not in str(found)


def test_a_policy_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "identity.toml").write_text("[types.email]\nlimit = 0\n")
    found = Examination()
    broken = Settings(identity_policy=str(tmp_path / "identity.toml"), pseudonym_key=KEY)
    assert policy_checks(broken, found) is None
    assert [one.check for one in found.findings] == ["policy"]
    assert policy_checks(Settings(pseudonym_key=KEY), Examination()) is not None


def test_with_everything_down_the_doctor_says_so_and_skips_what_it_cannot_look_at() -> None:
    nowhere = Settings(
        brokers=f"127.0.0.1:{free_port()}", clickhouse_url=f"clickhouse://127.0.0.1:{free_port()}/x", pseudonym_key=KEY,
        registry_url=f"http://127.0.0.1:{free_port()}",
    )  # fmt: skip
    found = examine(nowhere, 100, {}, [f"127.0.0.1:{free_port()}"])
    assert {one.check for one in found.findings if one.severity is Severity.FAULT} == {
        "brokers",
        "clickhouse",
        "meanings",
        "registry",
    }
    skipped = {one.check for one in found.findings if one.severity is Severity.UNKNOWN}
    assert skipped == {*kafka_checks.OF_KAFKA, *clickhouse_checks.OF_CLICKHOUSE}
    assert [one["check"] for one in found.to_dict()["checks"]] == list(CHECKS)
    assert found.ill


@pytest.mark.parametrize("error", [SettingsError("a: b"), UnavailableError("the broker is away")])
def test_a_check_that_fails_is_a_finding_and_the_next_one_is_made(error: Exception) -> None:
    def fail() -> None:
        raise error

    found = Examination()
    assert not found.make("lag", fail, "wait")
    assert found.make("key", lambda: None)
    assert found.made == ["lag", "key"]
    assert [one.severity for one in found.findings] == [Severity.FAULT]
    assert found.findings[0].mend
    assert [one["state"] for one in found.to_dict()["checks"]] == ["well", "fault"]


class Answers:
    """A ClickHouse that answers every query with the same rows."""

    def __init__(self, *rows: tuple[object, ...]) -> None:
        self.rows = list(rows)

    def execute(self, *_: object) -> list[tuple[object, ...]]:
        return self.rows


def found_by(check: object, *rows: tuple[object, ...], **more: object) -> list[tuple[str, str]]:
    found = Examination()
    check(Answers(*rows), *more.values(), found)  # type: ignore[operator]
    return [(one.severity.value, one.what) for one in found.findings]


def test_a_full_disk_an_old_server_and_a_clock_that_is_wrong_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gib = 2**30
    assert found_by(
        clickhouse_checks.disks, ("default", 5 * gib, 100 * gib), ("s3", 90 * gib, 100 * gib)
    ) == [("fault", "disk default of ClickHouse has 5.0 GiB left of 100.0")]
    assert found_by(clickhouse_checks.version_of_server, ("23.3.1.1",)) == [
        ("fault", "ClickHouse is 23.3.1.1")
    ]
    assert found_by(clickhouse_checks.version_of_server, ("26.7.1.1",)) == []
    monkeypatch.setattr(clickhouse_checks.time, "time", lambda: 1000.0)
    assert found_by(clickhouse_checks.clock, (1000.5,)) == []
    assert [severity for severity, _ in found_by(clickhouse_checks.clock, (1010.0,))] == ["warning"]
    assert [severity for severity, _ in found_by(clickhouse_checks.clock, (880.0,))] == ["fault"]


@pytest.mark.parametrize(
    ("count", "severity"), [(299, []), (300, ["warning"]), (999, ["warning"]), (1000, ["fault"])]
)
def test_parts_that_are_not_merged_are_found_before_inserts_slow_down(
    count: int, severity: list[str]
) -> None:
    found = found_by(clickhouse_checks.parts_of, ("raw_touchpoints", "202601", count), database="x")
    assert [one for one, _ in found] == severity


def test_partitions_without_a_leader_or_without_all_replicas_are_found() -> None:
    def part(leader: int, replicas: int, in_sync: int) -> dict[str, object]:
        return {
            "leader_id": leader,
            "replica_nodes": list(range(replicas)),
            "isr_nodes": list(range(in_sync)),
        }

    topics = {
        "touchpoints": {"name": "touchpoints", "partitions": [part(-1, 3, 3)]},
        "journey-states": {"name": "journey-states", "partitions": [part(0, 3, 2)]},
        "dead-letters": {"name": "dead-letters", "partitions": [part(0, 2, 2)]},
    }
    found = Examination()
    kafka_checks.replicas(Settings(replication=3), topics, found)
    assert [one.what for one in found.findings] == [
        "partitions of touchpoints have no leader",
        "partitions of journey-states lack replicas in sync",
        "dead-letters have fewer replicas than TOUCHLINE_REPLICATION 3",
    ]
    found = Examination()
    kafka_checks.version_of_brokers((3, 6), found)
    kafka_checks.version_of_brokers((4, 1), found)
    kafka_checks.version_of_brokers(None, found)
    assert [one.what for one in found.findings] == ["the broker is Kafka 3.6"]


def test_a_broker_that_refuses_a_question_is_a_finding_and_no_traceback() -> None:
    def refuse() -> None:
        raise TopicAuthorizationFailedError("journey-states")

    found = Examination()
    assert not found.make("topic-settings", lambda: kafka_checks.explained(Settings(), refuse))
    assert "does not answer as it should" in found.findings[0].what


def test_a_driver_that_loses_its_server_is_a_finding_and_no_traceback() -> None:
    def lose() -> None:
        raise EOFError

    found = Examination()
    assert not found.make("parts", lambda: clickhouse_checks.explained(Settings().clickhouse(), lose))
    assert "does not answer" in found.findings[0].what
