"""Fetches of journey-inputs through both cores: the same records of all topics, in the same order, whatever comes.

Journeys are packed as soon as a fetch is over, so that each is unpacked for the next one, and models are renewed often.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import topics
from schemas.encoding.codec import HEADER_BYTES, encode
from schemas.keys import profile_key
from schemas.records import IdentityAssignment, ResolvedTouchpoint, Touchpoint
from streams.identity.resolution.definition import own_profile
from streams.journeys import cache, native_journeys
from streams.journeys.agent import IDLE_SECONDS, Journeys
from streams.journeys.compression import JourneyCompressor
from streams.journeys.journey import Journey
from streams.journeys.native_journeys import NativeJourneys, Packer
from streams.journeys.prediction import predictions
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.timeline.timeline import Timeline
from streams.runtime.publisher import OutgoingRecord
from tests.support.agents import FetchEvent, Record, recover, worker_app
from tests.support.built_in import CATALOGUE
from tests.support.journeys import DAY, MINUTE, START
from tests.support.journeys_of import give, long_journey, touchpoints
from tests.support.native import core, law_of_both, needs_native

pytestmark = needs_native

RULES = JourneyRules.parse(
    "[horizon]\ntouchpoints = 20\nmost_touchpoints = 40\ndays = 1\n[prediction]\nlikely_next = true\nissue_risk = true",
    "small.toml",
)
NODES = [("cookie", "a"), ("cookie", "b"), ("customer_id", "c")]
PROFILES = [own_profile("default", node) for node in NODES]
#: A message with its name, or the bytes of a record with its key.
Message = tuple[str, Any] | tuple[bytes | None, bytes]
#: A fetch of messages; or so many seconds that pass until deadlines are looked at; or None for a restart.
Step = list[Message] | float | None


def small(item: Touchpoint) -> Touchpoint:
    """A touchpoint of the contract, and mostly one of nobody's account."""
    amount = item["amount_minor"]
    return item | {
        "amount_minor": None if amount is None else amount % 10**6,
        "account_id": item["account_id"] if item["event_id"].startswith("cc") else None,
    }  # type: ignore[return-value]


@st.composite
def resolved(draw: st.DrawFn) -> Message:
    item = small(draw(touchpoints()))
    node, profile = draw(st.sampled_from(NODES)), draw(st.sampled_from(PROFILES))
    identifier = {"type": node[0], "value": node[1]}
    others = draw(st.sampled_from([[], [{"type": "email", "value": "x"}]]))
    item = item | {
        "identifiers": [identifier, *others],
        "link": draw(st.sampled_from(["OBSERVED", "ASSERTED"])),
    }  # type: ignore[assignment]
    version = draw(st.sampled_from([-1, -1, 0, 3, 5, 8]))
    message = ResolvedTouchpoint(identifier=identifier, profile_id=profile, version=version, touchpoint=item)  # type: ignore[typeddict-item]
    return "ResolvedTouchpoint", message


@st.composite
def assignments(draw: st.DrawFn) -> IdentityAssignment:
    node = draw(st.sampled_from(NODES))
    version = draw(st.integers(0, 9))
    contested = draw(st.sampled_from([None, None, None, START + 60 * MINUTE]))
    cut = {
        "version": version,
        "cuts": [START + 30 * MINUTE],
        "erased_at": draw(st.sampled_from([None, START + 30 * MINUTE])),
    }
    return IdentityAssignment(
        tenant="default", identifier={"type": node[0], "value": node[1]}, profile_id=draw(st.sampled_from(PROFILES)),
        contested_from=contested, contested_profile_id=None if contested is None else draw(st.sampled_from(PROFILES)),
        version=version, event_id="link", occurred_at=START,
        correction=draw(st.sampled_from([None, None, None, cut])),
    )  # type: ignore[typeddict-item]  # fmt: skip


@st.composite
def moves(draw: st.DrawFn) -> Message:
    profile = draw(st.sampled_from(PROFILES))
    return "Move", {"profile_id": profile, "assignment": draw(assignments())}


@st.composite
def transfers(draw: st.DrawFn) -> Message:
    one, other = draw(st.sampled_from(PROFILES)), draw(st.sampled_from(PROFILES))
    return "Transfer", {
        "profile_id": one, "from_profile_id": other, "assignment": draw(assignments()),
        "touchpoints": [small(item) for item in draw(st.lists(touchpoints(), max_size=3))], "frozen": None,
    }  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> Message:
    name, message = draw(resolved())
    value = bytearray(encode(str(name), message))
    value[draw(st.integers(HEADER_BYTES, len(value) - 1))] = draw(st.integers(0, 255))
    return draw(st.sampled_from([key_of(message), key_of(message), b"default/p1", None])), bytes(value)


messages = st.one_of(resolved(), resolved(), resolved(), resolved(), moves(), transfers(), damaged())
fetches = st.lists(messages, min_size=1, max_size=10)
pauses = st.sampled_from([1.0, IDLE_SECONDS + 1, 3_600.0])
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(fetches, fetches, fetches, pauses, st.none()), min_size=1, max_size=8
)


def key_of(message: Any) -> bytes:
    return profile_key("default", message["profile_id"])


@dataclass
class Broker:
    """Takes outboxes as the broker would, and keeps the changelog."""

    published: list[tuple[str, OutgoingRecord]] = field(default_factory=list)
    changelog: list[tuple[bytes, bytes | None]] = field(default_factory=list)

    async def publish(self, outbox: Any) -> dict[Any, tuple[int, int]]:
        for (topic, _), records in sorted(outbox.records.items()):
            self.published += [(topic, record) for record in records]
            if topic.endswith("changelog"):
                self.changelog += [(key, value) for key, value, _ in records]
        return {}


def lives(given_steps: list[Step], *, native: bool, rules: JourneyRules = RULES) -> tuple[Broker, Journeys]:
    """What one worker after the other makes of the steps."""
    broker, offset, clock = Broker(), 0, START + 2 * DAY

    def born() -> Journeys:
        journeys = Journeys(worker_app(broker), CATALOGUE, rules, clock=lambda: clock / 1000)
        log = [Record("", 0, number, 0, *change) for number, change in enumerate(broker.changelog)]
        recover(journeys.state, [0], lambda _, start: [log[start:]] if log else [])
        return journeys

    with core(native=native):
        journeys = born()
        for step in given_steps:
            if step is None:
                journeys = born()
            elif isinstance(step, float):
                clock += round(step * 1000)
                asyncio.run(journeys.deadlines())
            else:
                records = []
                for name, message in step:
                    whole = isinstance(name, str)
                    key, value = (key_of(message), encode(name, message)) if whole else (name, message)
                    records.append(Record(topics.JOURNEY_INPUTS.name, 0, offset, 0, key, value))
                    offset += 1
                asyncio.run(journeys.take(FetchEvent(records)))
    return broker, journeys


@pytest.fixture(autouse=True, scope="module")
def crowded() -> Iterator[None]:
    """Hardly a journey stays in use between two fetches, and a model learns from few."""
    learnt = JourneyCompressor()
    learnt.learn([Journey(made(seed)) for seed in range(60)])
    packer = Packer()
    packer.train([b"".join(entry.value for entry in made(seed).held()) for seed in range(60)])
    with (
        mock.patch.object(cache, "WARM", 1), mock.patch.object(cache, "COMPRESSOR", learnt),
        mock.patch.object(native_journeys, "PACKER", packer), mock.patch.object(predictions, "LEAST_RENEWAL", 3),
    ):  # fmt: skip
        yield


def made(seed: int) -> Timeline:
    timeline = Timeline("default", f"p{seed}")
    for one in long_journey(seed, 8):
        give(timeline, one)
    return timeline


@law_of_both
@given(steps)
def test_whatever_comes(given_steps: list[Step]) -> None:
    python, _ = lives(given_steps, native=False)
    native, _ = lives(given_steps, native=True)
    assert native.published == python.published


@law_of_both
@given(st.lists(st.lists(resolved(), min_size=1, max_size=12), min_size=1, max_size=6))
def test_touchpoints_alone(given_steps: list[Step]) -> None:
    twice = [*given_steps, 3_600.0, *given_steps]
    python, _ = lives(twice, native=False)
    native, journeys = lives(twice, native=True)
    assert native.published == python.published
    kept = journeys.state.of(0).journeys.native
    assert isinstance(kept, NativeJourneys)


def plain(number: int, profile: int = 0, **fields: Any) -> Message:
    kind, value = NODES[profile]
    identifier = {"type": kind, "value": value}
    item = long_journey(7, 200)[number] | {"identifiers": [identifier], "account_id": None} | fields
    return "ResolvedTouchpoint", {
        "identifier": identifier, "profile_id": PROFILES[profile], "version": -1, "touchpoint": item
    }  # fmt: skip


def holders(journeys: Journeys) -> tuple[int, int]:
    """How many journeys the native core keeps, and how many Python does."""
    known = journeys.state.of(0).journeys
    return len(known.native or ()), len(known.warm) + len(known.compressed)


def test_the_native_core_keeps_plain_journeys_and_takes_them_back() -> None:
    first: list[Step] = [[plain(0), plain(1), plain(0, 1)]]
    assert holders(lives(first, native=True)[1]) == (2, 0)
    assert holders(lives([*first, [moved()]], native=True)[1]) == (2, 0)
    contested = moved(contested_from=START, contested_profile_id=PROFILES[1])
    assert holders(lives([*first, [contested]], native=True)[1]) == (1, 1)
    assert holders(lives([*first, [contested], [plain(2)]], native=True)[1]) == (2, 0)


def test_what_a_fetch_changed_before_python_takes_a_journey_goes_with_it() -> None:
    """Its touchpoints, assignments, Transfers and forwarded touchpoints, and who has what left."""
    elsewhere = moved(identifier={"type": "cookie", "value": "a"}, profile_id=PROFILES[2])
    contested = moved(contested_from=START, contested_profile_id=PROFILES[1])
    fetch: Step = [plain(3), elsewhere, plain(4), contested, plain(5)]
    given_steps: list[Step] = [[plain(0), plain(1), plain(0, 1)], fetch, [plain(6)]]
    native, _ = lives(given_steps, native=True)
    inputs = [record for topic, record in native.published if topic == topics.JOURNEY_INPUTS.name]
    assert len(inputs) > 2, "a Transfer and forwarded touchpoints"
    assert native.published == lives(given_steps, native=False)[0].published


def moved(**fields: Any) -> Message:
    """A Move to the first profile: an assignment of its e-mail address to it, but for these fields."""
    assignment = {
        "tenant": "default", "identifier": {"type": "email", "value": "x"}, "profile_id": PROFILES[0],
        "contested_from": None, "contested_profile_id": None, "version": 3, "event_id": "e", "occurred_at": START,
        "correction": None,
    } | fields  # fmt: skip
    return "Move", {"profile_id": PROFILES[0], "assignment": assignment}


@pytest.mark.parametrize("why", ["account", "copy", "horizon"])
def test_python_keeps_what_is_not_plain(why: str) -> None:
    unusual: dict[str, Step] = {
        "account": [plain(3, account_id="acme")],
        "copy": [plain(0, occurred_at=START - 90 * MINUTE)],
        "horizon": [plain(number) for number in range(1, 150)],
    }
    given_steps: list[Step] = [[plain(0)], unusual[why], [plain(160)], [plain(161)]]
    native, journeys = lives(given_steps, native=True)
    assert holders(journeys) == (0, 1)
    assert native.published == lives(given_steps, native=False)[0].published


def test_a_bug_while_a_profile_is_published_makes_a_dead_letter_of_its_newest_input_and_the_fetch_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = predictions.Predictions.model

    class Failing:
        """A model that fails where a state asks what it predicts, once it has learnt some touchpoints."""

        def __init__(self, whole: Any) -> None:
            self._whole = whole

        def __getattr__(self, name: str) -> Any:
            return getattr(self._whole, name)

        @property
        def renewed(self) -> int:
            if self._whole.renewed > 6:
                raise ValueError("a bug")
            return int(self._whole.renewed)

    monkeypatch.setattr(predictions.Predictions, "model", lambda self, tenant: Failing(model(self, tenant)))
    given_steps: list[Step] = [
        [plain(3 * number), plain(3 * number + 1, 1), plain(3 * number + 2)] for number in range(8)
    ]
    native, journeys = lives(given_steps, native=True)
    letters = [record for topic, record in native.published if topic == topics.DEAD_LETTERS.name]
    assert 8 <= len(letters) < 16, "one of each profile that is published after that"
    assert holders(journeys) == (2, 0)
    assert native.published == lives(given_steps, native=False)[0].published


def test_predictions_are_in_the_states() -> None:
    given_steps: list[Step] = [[plain(number), plain(number + 40, 1)] for number in range(30)]
    native, _ = lives(given_steps, native=True)
    states = [record[1] for topic, record in native.published if topic == topics.JOURNEY_STATES.name]
    assert states
    assert sum(state is not None and not state.endswith(b"\0\0\0") for state in states) > 30
    assert native.published == lives(given_steps, native=False)[0].published
