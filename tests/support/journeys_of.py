"""Journeys that hypothesis thinks of, and timelines fed with them."""

from collections.abc import Iterable
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from schemas.encoding.record_types import RESOLVED_TOUCHPOINT
from schemas.records import IdentityAssignment, ResolvedTouchpoint, Touchpoint
from streams.identity.resolution.ownership import NO_VERSION
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.timeline import Timeline
from tests.support.built_in import CATALOGUE
from tests.support.journeys import touchpoint

#: The machine may be busy: a law is about values, never about time.
law = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

#: An erasure request is no touchpoint of a journey once identity has seen it.
TYPES = [*(name for name in CATALOGUE.types if name != "erasure_requested"), "unheard_of"]
NAMES = st.sampled_from(["a", "b"])


@st.composite
def touchpoints(draw: st.DrawFn) -> Touchpoint:
    minute = draw(st.one_of(st.integers(0, 120), st.integers(0, 60 * 24 * 40)))
    score = st.builds(
        lambda kind, value: {"kind": kind, "value": value},
        st.sampled_from(["NPS", "CSAT", "CES"]),
        st.integers(1, 5),
    )
    money = draw(st.none() | st.integers(-(2**63), 2**63 - 1))
    return touchpoint(
        draw(st.sampled_from(TYPES)),
        minute,
        event_id=draw(st.text("abc", min_size=1, max_size=4)),
        channel=draw(st.sampled_from(["web", "app", "chat", "chatbot", "phone", "hologram"])),
        identifiers=[{"type": "cookie", "value": draw(NAMES)}],
        account_id=draw(st.none() | NAMES),
        session_id=draw(st.none() | NAMES),
        issue_id=draw(st.none() | NAMES),
        order_id=draw(st.none() | NAMES),
        campaign=draw(st.none() | NAMES),
        amount_minor=money,
        currency=None if money is None else draw(st.sampled_from(["EUR", "USD"])),
        sentiment=draw(st.none() | st.floats(-1, 1)),
        score=draw(st.none() | score),
        consent=draw(st.dictionaries(NAMES, st.sampled_from(["GRANTED", "DENIED", "REVOKED"]), max_size=2)),
        experiments=draw(st.dictionaries(NAMES, NAMES, max_size=2)),
    )


journeys = st.lists(touchpoints(), min_size=1, max_size=16, unique_by=lambda item: item["event_id"])


def long_journey(seed: int, length: int, *, owners: str = "a", minutes: int = 400) -> list[Touchpoint]:
    """A journey of so many touchpoints of every kind, with pauses up to twice so many minutes."""
    random = Random(seed)
    minute, journey = 0, []
    for number in range(length):
        minute += random.choice([0, 1, 5, 31, minutes, minutes * 2])
        kind = random.choice(["NPS", "CSAT", "CES"])
        journey.append(
            touchpoint(
                random.choice(TYPES),
                minute,
                event_id=f"e{number:05}",
                channel=random.choice(["web", "app", "chat", "chatbot", "phone"]),
                identifiers=[{"type": "cookie", "value": random.choice(owners)}],
                account_id=random.choice([None, None, "acme", "bolt"]),
                session_id=random.choice([None, None, "s1", "s2"]),
                issue_id=random.choice([None, None, None, *(f"i{n}" for n in range(9))]),
                order_id=random.choice([None, *(f"o{n}" for n in range(40))]),
                campaign=random.choice([None, "spring", "autumn"]),
                amount_minor=random.choice([None, 100, 2500]),
                currency="EUR",
                sentiment=random.choice([None, random.uniform(-1, 1)]),
                score=random.choice([None, None, {"kind": kind, "value": random.randint(1, 5)}]),
                consent=random.choice([{}, {}, {"email": random.choice(["GRANTED", "DENIED", "REVOKED"])}]),
                experiments=random.choice([{}, {"banner": random.choice("xyz")}]),
            )
        )
    return journey


def give(timeline: Timeline, item: Touchpoint, version: int = NO_VERSION) -> Effects:
    """Hand a touchpoint to a timeline as stitch would."""
    effects = Effects()
    resolved = ResolvedTouchpoint(
        identifier=item["identifiers"][0], profile_id=timeline.profile_id, version=version, touchpoint=item
    )
    timeline.accept(resolved, RESOLVED_TOUCHPOINT.encode(resolved), effects)
    return effects


def fed(arriving: Iterable[Touchpoint], rules: object, profile: str = "p1", every: int = 1) -> Timeline:
    """A timeline after these touchpoints, summed up after every so many, as after fetches."""
    timeline = Timeline("default", profile)
    for number, item in enumerate(arriving):
        give(timeline, item)
        if number % every == 0:
            timeline.summarise(CATALOGUE, rules, Effects())  # type: ignore[arg-type]
    timeline.summarise(CATALOGUE, rules, Effects())  # type: ignore[arg-type]
    return timeline


def assigned(owner: str, profile: str, version: int) -> IdentityAssignment:
    """An assignment of a cookie to a profile."""
    return IdentityAssignment(
        tenant="default", identifier={"type": "cookie", "value": owner}, profile_id=profile, contested_from=None,
        contested_profile_id=None, version=version, event_id="link", occurred_at=0, correction=None,
    )  # fmt: skip
