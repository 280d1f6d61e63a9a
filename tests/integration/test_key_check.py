"""A deployment knows its pseudonymisation key: whoever has another one refuses to start."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.ingest.key_check import AnotherKeyError, compared, require_same_key, unseen_by_this_key
from deploy.ingest.publisher import publish
from deploy.kafka_admin.topics import create_topics
from deploy.sandbox import Broker
from schemas.errors import SettingsError, UnseenError
from schemas.settings import Settings
from streams.identity.policy.load import load
from streams.identity.policy.policy import IdentityPolicy
from tests.integration.parts import TOUCHLINE, on_kafka
from tests.support.touchpoints import touchpoint

pytestmark = pytest.mark.sandbox

KEYS = [f"{number:064x}" for number in range(8)]


def policy(number: int, key_id: str = "k1") -> IdentityPolicy:
    return load("", KEYS[number].encode(), key_id)


@pytest.fixture
def settings(broker: Broker, request: pytest.FixtureRequest) -> Settings:
    made = Settings(
        brokers=broker.address, topic_prefix=f"keys-{abs(hash(request.node.name))}.", partitions=3,
        pseudonym_key=KEYS[0], idempotent_producer=int(broker.idempotent),
    )  # fmt: skip
    create_topics(made)
    return made


def test_the_first_key_of_an_id_is_the_only_one_and_each_id_has_its_own(settings: Settings) -> None:
    require_same_key(settings, policy(0))
    require_same_key(settings, policy(0))
    with pytest.raises(SettingsError, match=r"deployment knows as 'k1'.*TOUCHLINE_PSEUDONYM_KEY_ID"):
        require_same_key(settings, policy(1))
    require_same_key(settings, policy(1, "k2"))
    require_same_key(settings, policy(0))
    with pytest.raises(SettingsError, match="'k2'"):
        require_same_key(settings, policy(0, "k2"))


def test_of_many_that_start_at_once_with_different_keys_exactly_one_key_wins(settings: Settings) -> None:
    def attempt(number: int) -> int | None:
        try:
            require_same_key(settings, policy(number))
        except SettingsError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        agreed = {number for number in pool.map(attempt, [0, 1, 2, 3] * 2) if number is not None}
    assert len(agreed) == 1
    assert [attempt(number) for number in range(4)] == [
        number if number in agreed else None for number in range(4)
    ]


def test_a_policy_that_hides_nothing_needs_no_key_and_no_broker() -> None:
    require_same_key(Settings(brokers="127.0.0.1:1"), IdentityPolicy.parse("", KEYS[0].encode(), "k1"))


@pytest.mark.soak
@on_kafka
def test_publish_worker_and_corrections_refuse_another_key_in_one_sentence(
    settings: Settings, tmp_path: Path
) -> None:
    publish([touchpoint(ids=[("email", "ann@shop.de")])], settings, policy(0))
    events = tmp_path / "events.jsonl"
    events.write_text(
        '{"event_id": "e", "occurred_at": "2026-01-01T00:00:00Z", "source": "s", "channel": "web", "type": "login",'
        ' "identifiers": {"email": "ann@shop.de"}}'
    )
    other = replace(settings, pseudonym_key=KEYS[1])
    for arguments in (
        ["worker"],
        ["publish", str(events)],
        ["forget", "email:ann@shop.de", "--unseen", "--no-wait"],
        ["unlink", "email:ann@shop.de", "cookie:a", "--unseen"],
        ["publish", str(events), "--dry-run"],
        ["backfill", "--from", "1h", "--republish", "--dry-run"],
        ["backfill", "--from", "1h", "--group", "loader"],
        ["dead-letters", "replay", "--dry-run"],
    ):
        done = subprocess.run(
            [*TOUCHLINE, *arguments],
            env=other.to_env(),
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
        )
        assert done.returncode == 1, arguments
        assert done.stderr.startswith("touchline: TOUCHLINE_PSEUDONYM_KEY is not the key"), done.stderr
        assert done.stderr.count("\n") == 1


def test_a_look_up_says_that_the_key_is_another_one_before_it_says_that_somebody_is_unknown(
    settings: Settings,
) -> None:
    require_same_key(settings, policy(0))

    def look_up(number: int) -> None:
        with unseen_by_this_key(settings, policy(number)):
            raise UnseenError("nobody is known by email:ann@shop.de")

    with pytest.raises(UnseenError, match="nobody is known"):
        look_up(0)
    with pytest.raises(AnotherKeyError, match="is not the key that this deployment knows as 'k1'"):
        look_up(1)


def test_who_is_found_is_shown_whatever_the_key_and_without_a_broker() -> None:
    with unseen_by_this_key(Settings(brokers="127.0.0.1:1"), policy(0)):
        pass
    with (
        pytest.raises(UnseenError, match="nobody"),
        unseen_by_this_key(Settings(brokers="127.0.0.1:1"), policy(0)),
    ):
        raise UnseenError("nobody")


def test_what_only_compares_notes_no_key(settings: Settings) -> None:
    assert compared(settings, policy(1))
    require_same_key(settings, policy(0))
    with pytest.raises(AnotherKeyError):
        compared(settings, policy(1))


def test_a_deployment_without_the_topic_is_told_how_to_make_it(broker: Broker) -> None:
    with pytest.raises(SettingsError, match="run `touchline topics`"):
        require_same_key(Settings(brokers=broker.address, topic_prefix="nothing."), policy(0))
