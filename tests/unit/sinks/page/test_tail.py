"""What each record on a journey topic tells open pages."""

from typing import Any

import pytest

from schemas import headers, topics
from schemas.encoding.codec import encode
from schemas.keys import profile_key
from schemas.topics import Topic
from sinks.page.hub import Hub
from sinks.page.tail import KINDS, tell
from tests.support.examples import example
from tests.support.kafka_records import Consumed


class Told(Hub):
    """A hub that notes what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[tuple[str, str | None, tuple[str, ...]]] = []

    def note(self, kind: str, tenant: str | None, *profiles: str, **more: Any) -> None:
        self.notes.append((kind, tenant, profiles))
        super().note(kind, tenant, *profiles, **more)


def told(topic: Topic, value: bytes | None, **more: Any) -> Told:
    hub = Told()
    tell(hub, topic, KINDS[topic], Consumed(value, **more))  # type: ignore[arg-type]
    return hub


def test_a_state_tells_its_profile_and_the_version_to_wait_for() -> None:
    state = example("JourneyState")
    hub = told(topics.JOURNEY_STATES, encode("JourneyState", state))
    assert hub.notes == [("states", state["tenant"], (state["profile_id"],))]
    assert hub.expected(state["tenant"], state["profile_id"]) == state["version"]
    assert not hub.gone(state["tenant"], state["profile_id"])


def test_a_tombstone_tells_that_the_profile_is_gone() -> None:
    hub = told(topics.JOURNEY_STATES, None, key=profile_key("shop", "p1"), headers=((headers.VERSION, b"7"),))
    assert (hub.expected("shop", "p1"), hub.gone("shop", "p1")) == (7, True)


def test_a_merge_tells_every_profile_concerned() -> None:
    change = example("ProfileChanged")
    hub = told(topics.PROFILE_CHANGES, encode("ProfileChanged", change))
    assert hub.notes == [("changes", change["tenant"], (change["profile_id"], *change["others"]))]


def test_a_signal_tells_whose_it_is() -> None:
    signal = example("JourneySignal")
    hub = told(topics.JOURNEY_SIGNALS, encode("JourneySignal", signal))
    assert hub.notes == [("signals", signal["tenant"], (signal["profile_id"],))]


@pytest.mark.parametrize("topic", [topics.IDENTITY_ASSIGNMENTS, topics.ACCOUNT_STATES])
def test_assignments_and_accounts_tell_their_tenant(topic: Topic) -> None:
    assert told(topic, b"", key=b"shop/cookie:a/b").notes == [(KINDS[topic], "shop", ())]


def test_a_dead_letter_is_told_to_all_and_nothing_of_its_content() -> None:
    assert told(topics.DEAD_LETTERS, b"\xff").notes == [("dead_letters", None, ())]


@pytest.mark.parametrize("topic", KINDS)
@pytest.mark.parametrize("value", [b"", b"\xc3\x01", b"no avro at all"])
def test_no_record_whatever_it_holds_stops_the_page(topic: Topic, value: bytes) -> None:
    told(topic, value, key=b"\xff\xfe")
