"""State that a release stored: the present code restores it and stands where that release stood.

A failure here means that a running deployment cannot be upgraded: change the code so that it reads what is there.
Only where the public states are meant to differ (a new field) may the hashes differ; then say so in docs/upgrades.md
and compare that sample without them from then on. Samples are never edited and never made anew.
"""

from collections.abc import Iterator
from importlib.metadata import version

import pytest

from schemas.encoding.codec import decode
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT, JOURNEY_STATE
from schemas.keys import identifier_key
from schemas.topics import (
    ACCOUNT_STATES,
    ACCOUNTS_CHANGELOG,
    ALL,
    IDENTITY_ASSIGNMENTS,
    IDENTITY_CHANGELOG,
    JOURNEY_STATES,
    JOURNEYS_CHANGELOG,
    STITCH_CHANGELOG,
    TOUCHPOINTS,
    Topic,
)
from schemas.touchpoint.erasure_names import ERASURE_REQUESTED
from streams.accounts.partition import AccountPartition
from streams.identity.policy.prepare import prepare
from streams.identity.resolution.links import links_of
from streams.identity.resolution.ownership import NO_VERSION, node_of
from streams.identity.state import IdentityState
from streams.journeys.partition import JourneyPartition
from streams.journeys.prediction.predictions import Predictions
from streams.journeys.timeline.effects import Effects
from streams.runtime.state import PartitionState
from streams.stitch.compact_assignment import correction_of
from streams.stitch.stitching import StitchState
from tests.support.built_in import CATALOGUE
from tests.upgrade.stored import Sample, samples

SAMPLES = samples()
each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"of-{sample.release}")


def restored(sample: Sample, topic: Topic, partition: int, state: PartitionState) -> None:
    for record in sample.records(topic):
        if record.partition == partition:
            state.restore(record.key, record.value)
    state.restored()


def partitions(sample: Sample) -> range:
    return range(sample.told["partitions"])


def journeys_of(sample: Sample) -> Iterator[JourneyPartition]:
    for number in partitions(sample):
        predictions = Predictions(sample.catalogue, sample.rules, number)
        journeys = JourneyPartition(number, predictions=predictions)
        restored(sample, JOURNEYS_CHANGELOG, number, journeys)
        yield journeys


def test_this_release_has_a_sample_of_its_state() -> None:
    """The sample of the release that is being worked on; `python -m tests.upgrade.sample` makes it, once."""
    assert version("touchline") in [sample.release for sample in SAMPLES]


@each_sample
def test_a_sample_holds_every_kind_of_state(sample: Sample) -> None:
    keys = {topic: [r.key.decode() for r in sample.records(topic)] for topic in ALL}
    assert set("efpsm") <= {key.split("/")[2] for key in keys[JOURNEYS_CHANGELOG]}
    assert set("~!=") <= {key[0] for key in keys[IDENTITY_CHANGELOG]}
    assert {True, False} == {key.startswith("~") for key in keys[STITCH_CHANGELOG]}
    assert keys[ACCOUNTS_CHANGELOG]


@each_sample
def test_every_record_is_read(sample: Sample) -> None:
    for topic in ALL:
        names = {decode(r.value)[0] for r in sample.records(topic) if r.value and r.value[:2] == b"\xc3\x01"}
        assert names <= set(topic.values), topic.name


@each_sample
def test_journeys_reach_the_states_that_were_published(sample: Sample) -> None:
    hashes = {}
    for journeys in journeys_of(sample):
        for key, journey in journeys.journeys.items():
            timeline = journey.timeline
            effects = Effects()
            timeline.settle(effects)
            assert effects == Effects(), key
            if not timeline.empty:
                hashes[key.decode()] = timeline.state(sample.catalogue, sample.rules)["state_hash"]
    assert hashes == sample.told["state_hashes"][JOURNEY_STATES.name]


@each_sample
def test_journeys_know_when_they_were_published_last_and_what_was_learnt(sample: Sample) -> None:
    published = {r.key: r.value for r in sample.records(JOURNEY_STATES) if r.value is not None}
    learnt = 0
    for journeys in journeys_of(sample):
        for key, journey in journeys.journeys.items():
            timeline = journey.timeline
            if not timeline.empty:
                assert timeline.version == JOURNEY_STATE.decode(published[key])["version"]
        assert journeys.predictions is not None
        learnt += journeys.predictions.model("default").learnt
    assert learnt > 0


@each_sample
def test_accounts_reach_the_states_that_were_published(sample: Sample) -> None:
    hashes = {}
    for number in partitions(sample):
        accounts = AccountPartition(number)
        restored(sample, ACCOUNTS_CHANGELOG, number, accounts)
        for record in sample.records(ACCOUNT_STATES):
            if record.partition == number and record.value is not None:
                tenant, _, account_id = record.key.decode().partition("/")
                state = accounts.account(tenant, account_id).state(sample.rules.friction_half_life_ms)
                assert state is not None
                hashes[record.key.decode()] = state["state_hash"]
    assert hashes == sample.told["state_hashes"][ACCOUNT_STATES.name]


@each_sample
def test_identity_holds_what_it_has_assigned(sample: Sample) -> None:
    state = IdentityState(sample.policy)
    # a tenant's links are on one partition; reading them all into one state is the same
    for record in sample.records(IDENTITY_CHANGELOG):
        state.restore(record.key, record.value)
    state.restored()
    for record in sample.records(IDENTITY_ASSIGNMENTS):
        if record.value is None:
            continue
        told = IDENTITY_ASSIGNMENT.decode(record.value)
        held = state.tenant(told["tenant"]).assignment(node_of(told["identifier"]))
        assert held.profile_id == told["profile_id"], record.key
        mark = state.tenant(told["tenant"]).mark_of(node_of(told["identifier"]))
        assert (mark is None) == (told["correction"] is None), record.key


@each_sample
def test_stitch_knows_the_owners(sample: Sample) -> None:
    states = stitch_of(sample)
    replay = sample.replay()
    owners = {(o.touchpoint["tenant"], o.touchpoint["event_id"]): o.profile_id for o in replay.owned()}
    versions = set()
    for record in sample.records(TOUCHPOINTS):
        identifier, touchpoint = prepare(decode(record.value)[1], sample.policy, CATALOGUE)  # type: ignore[arg-type]
        if touchpoint["type"] != ERASURE_REQUESTED:
            tenant, at = touchpoint["tenant"], touchpoint["occurred_at"]
            profile_id, version = states[record.partition].owner(
                identifier_key(tenant, identifier), tenant, identifier, at
            ) or (None, NO_VERSION)
            assert profile_id == owners.get((tenant, touchpoint["event_id"])), touchpoint["event_id"]
            versions.add(version)
    assert len(versions) > 10


@each_sample
def test_stitch_does_not_send_again_what_it_has_sent(sample: Sample) -> None:
    """But what a correction cut: of that it knows nothing any more, on purpose."""
    states = stitch_of(sample)
    sent = 0
    for record in sample.records(TOUCHPOINTS):
        state = states[record.partition]
        identifier, touchpoint = prepare(decode(record.value)[1], sample.policy, CATALOGUE)  # type: ignore[arg-type]
        for link in links_of(touchpoint, touchpoint["identifiers"]):
            ends = (identifier_key(link["tenant"], end) for end in (link["left"], link["right"]))
            held = [state.assignments[end] for end in ends if end in state.assignments]
            if not any(correction_of(known) for known in held):
                assert state.learn(link, identifier) is None, touchpoint["event_id"]
                sent += 1
    assert sent > 50


def stitch_of(sample: Sample) -> dict[int, StitchState]:
    states = {number: StitchState() for number in partitions(sample)}
    for number, state in states.items():
        restored(sample, STITCH_CHANGELOG, number, state)
    return states
