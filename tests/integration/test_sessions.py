"""The view `sessions` and the journey state have one definition of a session: the same sessions for every profile."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from random import Random

import pytest

from deploy.kafka_admin.meanings import meanings
from deploy.simulation.population import Population, simulate
from schemas import topics
from schemas.catalogue import Catalogue
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT, RESOLVED_TOUCHPOINT
from schemas.records import Touchpoint
from schemas.settings import Settings
from sinks.clickhouse.write.catalogue import Meanings, put_in_force
from streams.identity.resolution.definition import own_profile
from streams.identity.resolution.ownership import NO_VERSION, node_of
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.sessions import Sessions
from streams.replay import Owned, Replay
from tests.integration.store import Store
from tests.integration.test_tables import ECOM
from tests.support.built_in import CATALOGUE, POLICY, RULES
from tests.support.journeys import DAY, MINUTE, touchpoint
from tests.support.touchpoints import START

pytestmark = pytest.mark.sandbox

#: Source and session id (empty for none), start, last activity, touchpoints.
Found = tuple[str, str, int, int, int]
Profile = tuple[str, str]


@pytest.fixture
def store(store: Store) -> Store:
    put_in_force(store.where, meanings(Settings()))
    return store


def people() -> list[Touchpoint]:
    """Simulated customers: visits without ids, app sessions and calls with them, mails that we send, merges."""
    return list(simulate(Population(people=150, events=6000, seed=11)))


def edges() -> list[Touchpoint]:
    """What lies on the edges of the definition: pauses and visits to the millisecond, ids that two sources share."""
    random, journey = Random(5), []
    for number in range(4000):
        visitor = number % 40
        pause = random.choice([0, 0, 1, 29 * MINUTE, 30 * MINUTE, 30 * MINUTE + 1, 3 * DAY, 3 * DAY + 1])
        journey.append((visitor, pause))
    clock: dict[int, int] = defaultdict(lambda: START)
    events = []
    for number, (visitor, pause) in enumerate(journey):
        clock[visitor] += pause
        events.append(
            touchpoint(
                random.choice(["home", "home", "product_view", "email_sent", "shipment_late", "unheard_of"]),
                event_id=f"e{number * 7919 % 4001}", identifiers=[{"type": "cookie", "value": f"c{visitor}"}],
                source=random.choice(["shop", "app"]), session_id=random.choice([None, None, "1", "2"]),
            )
            | {"occurred_at": clock[visitor]}
        )  # fmt: skip
    return events  # type: ignore[return-value]


def without_pauses() -> list[Touchpoint]:
    """A visitor who never rests: only the longest time that a session may take parts the visits."""
    return [
        touchpoint("home", minute, event_id=f"e{minute}", session_id=session)
        for session in (None, "s1")
        for minute in range(0, 12 * 24 * 60, 17)
        if (session is None) == (minute % 2 == 0)
    ]


def ecom() -> list[Touchpoint]:
    if not ECOM.exists():
        pytest.skip("the ecom log is not beside this checkout")
    with gzip.open(ECOM, "rt") as file:
        return [
            touchpoint(
                line["event"], event_id=f"line-{number}", identifiers=[{"type": "cookie", "value": line["user_id"]}]
            )
            | {"occurred_at": round(datetime.fromisoformat(line["timestamp"]).replace(tzinfo=UTC).timestamp() * 1000)}
            for number, line in enumerate(csv.DictReader(file))
        ]  # fmt: skip


@pytest.mark.parametrize("journeys", [people, edges, without_pauses, ecom])
def test_the_view_and_the_state_have_the_same_sessions_for_every_profile(store: Store, journeys) -> None:
    replay = Replay(POLICY, CATALOGUE, RULES)
    for event in journeys():
        replay.add(event)
    owned = list(replay.owned())
    fill(store, replay, owned)

    found = in_view(store)
    assert found == by_definition(owned, RULES)
    visited = {(s["tenant"], s["profile_id"]): s for s in replay.states() if s["session"] is not None}
    assert {profile: state["sessions"] for profile, state in visited.items()} == {
        profile: len(sessions) for profile, sessions in found.items()
    }
    for profile, state in visited.items():
        newest = state["session"]
        told = newest["session_id"] or "", newest["started_at"], newest["last_at"], newest["touchpoints"]
        assert told in {session[1:] for session in found[profile]}
        assert newest["last_at"] == max(last_at for *_, last_at, _ in found[profile])


def test_other_rules_and_another_catalogue_hold_for_all_that_was_ever_loaded(store: Store) -> None:
    visits = [touchpoint("home", minute) for minute in (0, 10, 30)] + [touchpoint("demo", 31)]
    store.load(topics.JOURNEY_INPUTS, *[resolved(event) for event in visits])
    assert store.query("SELECT touchpoints FROM sessions") == [(4,)]

    known = meanings(Settings())
    demo = "[types]\ndemo = { component = 'sales', direction = 'outbound' }"
    ours = Meanings(Catalogue.parse(demo, "mine.toml", known.catalogue), 15 * MINUTE, DAY)
    assert put_in_force(store.where, ours)
    assert not put_in_force(store.where, ours)
    store.reconcile()

    assert store.query("SELECT touchpoints FROM sessions ORDER BY number") == [(2,), (1,)]
    rules = JourneyRules.parse("[sessions]\ngap_minutes = 15\ncap_days = 1", "mine.toml")
    assert (ours.session_gap_ms, ours.session_cap_ms) == (rules.session_gap_ms, rules.session_cap_ms)


def test_two_visits_of_one_session_id_are_one_and_two_ids_ten_minutes_apart_are_two(store: Store) -> None:
    one = [touchpoint("page_view", minute, session_id="s", identifiers=who("n")) for minute in (0, 60)]
    two = [
        touchpoint("page_view", 10 * n, session_id=f"s{n}", identifiers=who("m"), event_id=f"m{n}")
        for n in (0, 1)
    ]
    mail = touchpoint("email_sent", 5, identifiers=who("o"))
    store.load(topics.JOURNEY_INPUTS, *[resolved(event) for event in (*one, *two, mail)])
    counted = store.query("SELECT profile_id, count() FROM sessions GROUP BY profile_id")
    assert dict(counted) == {
        own_profile("default", ("cookie", "n")): 1,
        own_profile("default", ("cookie", "m")): 2,
    }


def who(name: str) -> list[dict[str, str]]:
    return [{"type": "cookie", "value": name}]


def resolved(event: Touchpoint) -> bytes:
    identifier = event["identifiers"][0]
    profile = own_profile(event["tenant"], node_of(identifier))
    return RESOLVED_TOUCHPOINT.encode(
        {"identifier": identifier, "profile_id": profile, "version": NO_VERSION, "touchpoint": event},
    )


def fill(store: Store, replay: Replay, owned: list[Owned]) -> None:
    """Touchpoints as they were stitched before anything was known, and whose identifiers are now."""
    values, assignments = [], {}
    for item in owned:
        tenant, node = item.touchpoint["tenant"], node_of(item.identifier)
        values.append(
            RESOLVED_TOUCHPOINT.encode({
                    "identifier": item.identifier, "profile_id": own_profile(tenant, node), "version": NO_VERSION,
                    "touchpoint": item.touchpoint,
                },
            )
        )  # fmt: skip
        found = replay.resolution(tenant).get(node)
        if found is not None:
            assignments[tenant, node] = IDENTITY_ASSIGNMENT.encode({
                    "tenant": tenant, "identifier": item.identifier, "profile_id": found.profile_id,
                    "contested_from": found.contested_from, "contested_profile_id": found.contested_profile_id,
                    "version": 1, "event_id": "e1", "occurred_at": 0, "correction": None,
                },
            )  # fmt: skip
    store.load(topics.JOURNEY_INPUTS, *values[::-1])
    if assignments:
        store.load(topics.IDENTITY_ASSIGNMENTS, *assignments.values())


def in_view(store: Store) -> dict[Profile, list[Found]]:
    found: dict[Profile, list[Found]] = defaultdict(list)
    rows = store.query(
        "SELECT tenant, profile_id, source, session_id, toUnixTimestamp64Milli(started_at),"
        " toUnixTimestamp64Milli(last_at), touchpoints FROM sessions ORDER BY number"
    )
    for tenant, profile_id, *session in rows:
        found[tenant, profile_id].append(tuple(session))  # type: ignore[arg-type]
    return {profile: sorted(sessions) for profile, sessions in found.items()}


def by_definition(owned: Iterable[Owned], rules: JourneyRules) -> dict[Profile, list[Found]]:
    timelines: dict[Profile, list[Touchpoint]] = defaultdict(list)
    for item in owned:
        kind = CATALOGUE.types.get(item.touchpoint["type"])
        if kind is None or kind.direction == "inbound":
            timelines[item.touchpoint["tenant"], item.profile_id].append(item.touchpoint)
    found = {}
    for profile, timeline in timelines.items():
        sessions, named = Sessions(rules), {}
        for event in sorted(timeline, key=lambda event: event["occurred_at"]):
            session = sessions.touch(event["occurred_at"], event["source"], event["session_id"])
            named[id(session)] = session, "" if event["session_id"] is None else event["source"]
        assert len(named) == sessions.count
        found[profile] = sorted(
            (source, s.session_id or "", s.started_at, s.last_at, s.touchpoints)
            for s, source in named.values()
        )
    return found
