"""The views of channel switches and the journey state count the same switches for every profile."""

from collections import Counter
from random import Random

import pytest

from deploy.kafka_admin.meanings import meanings
from schemas import topics
from schemas.records import Touchpoint
from schemas.settings import Settings
from sinks.clickhouse.write.catalogue import put_in_force
from streams.replay import Replay
from tests.integration.store import Store
from tests.integration.test_sessions import POLICY, fill, people, resolved, who
from tests.support.journeys import CATALOGUE, RULES, touchpoint

pytestmark = pytest.mark.sandbox


@pytest.fixture
def store(store: Store) -> Store:
    put_in_force(store.where, meanings(Settings()))
    return store


def at_one_time() -> list[Touchpoint]:
    """Visitors whose touchpoints share few times, on several channels, in and out."""
    random = Random(7)
    return [
        touchpoint(
            random.choice(["home", "home", "email_sent", "unheard_of", "shipment_late"]),
            random.randrange(20),
            event_id=f"e{number * 7919 % 4001}",
            identifiers=who(f"c{number % 60}"),
            channel=random.choice(["web", "app", "email", "phone", "telephone"]),
        )
        for number in range(1500)
    ]


@pytest.mark.parametrize("journeys", [people, at_one_time])
def test_the_view_and_the_state_count_the_same_switches_for_every_profile(store: Store, journeys) -> None:
    replay = Replay(POLICY, CATALOGUE, RULES)
    for event in journeys():
        replay.add(event)
    fill(store, replay, list(replay.owned()))

    expected = {(s["tenant"], s["profile_id"]): s["channel_switches"] for s in replay.states()}
    counted = store.query(
        "SELECT tenant, profile_id, sum(switches) FROM profile_channel_switches GROUP BY tenant, profile_id"
    )
    assert {(tenant, profile): n for tenant, profile, n in counted} == {
        profile: switches for profile, switches in expected.items() if switches
    }
    assert store.query("SELECT sum(switches) FROM channel_switches") == [(sum(expected.values()),)]


def test_what_we_send_switches_nothing_and_of_one_time_the_channel_used_last_comes_first(
    store: Store,
) -> None:
    events = [
        touchpoint("home", 0, channel="web", event_id="z"),
        touchpoint("email_sent", 1, channel="email", event_id="y"),
        touchpoint("home", 2, channel="app", event_id="a"),
        touchpoint("home", 2, channel="phone", event_id="b"),
        touchpoint("home", 2, channel="web", event_id="c"),
    ]
    store.load(topics.JOURNEY_INPUTS, *[resolved(event) for event in events])

    found = Counter(
        {
            (before, after): n
            for before, after, n in store.query(
                "SELECT from_channel, to_channel, switches FROM channel_switches"
            )
        }
    )
    assert found == {("web", "app"): 1, ("app", "phone"): 1}
