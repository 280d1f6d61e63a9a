"""Logs of the compacted topics as a worker may write them, and what a table of them must hold."""

from collections import defaultdict
from collections.abc import Iterable

from hypothesis import strategies as st

from schemas import topics
from schemas.encoding.record_types import ACCOUNT_STATE, IDENTITY_ASSIGNMENT, JOURNEY_STATE
from schemas.headers import ASSIGNMENT, VERSION
from schemas.keys import account_key, identifier_key, partition_of, profile_key
from schemas.profile_ids import own_profile
from tests.support.ids import person
from tests.support.kafka_records import Consumed, assignment, example, journey

PARTITIONS = 2
TENANTS = ("default", "shop")
NAMES = ("a", "b", "c")
GARBAGE = Consumed(value=b"\xc3\x01 no record", key=b"default/x")


def state(profile: str, version: int, tenant: str = "default", **fields) -> Consumed:
    value = JOURNEY_STATE.encode(journey(profile, version, tenant=tenant, **fields))
    return Consumed(value, profile_key(tenant, person(profile)), topic=topics.JOURNEY_STATES.name)


def no_state(profile: str, version: int, tenant: str = "default") -> Consumed:
    return Consumed(
        None, profile_key(tenant, person(profile)), topic=topics.JOURNEY_STATES.name,
        headers=((VERSION, str(version).encode()),),
    )  # fmt: skip


def account(name: str, version: int, tenant: str = "default") -> Consumed:
    body = {**example("AccountState"), "tenant": tenant, "account_id": name, "version": version}
    return Consumed(ACCOUNT_STATE.encode(body), account_key(tenant, name), topic=topics.ACCOUNT_STATES.name)


def owner(cookie: str, profile: str, version: int, tenant: str = "default", **fields) -> Consumed:
    body = assignment(cookie, profile, version, tenant=tenant, correction=None, **fields)
    key = identifier_key(tenant, body["identifier"])
    return Consumed(IDENTITY_ASSIGNMENT.encode(body), key, topic=topics.IDENTITY_ASSIGNMENTS.name)


def erased(cookie: str, version: int, tenant: str = "default") -> Consumed:
    own = own_profile(tenant, ("cookie", cookie))
    correction = {"version": version, "erased_at": 5, "cuts": [5]}
    body = assignment(cookie, own, version, tenant=tenant, correction=correction)
    return Consumed(
        None, identifier_key(tenant, body["identifier"]), topic=topics.IDENTITY_ASSIGNMENTS.name,
        headers=((VERSION, str(version).encode()), (ASSIGNMENT, IDENTITY_ASSIGNMENT.encode(body))),
    )  # fmt: skip


def placed(records: Iterable[Consumed], prefix: str = "") -> list[Consumed]:
    """The records with the partitions and offsets that a broker gives them."""
    ends: defaultdict[tuple[str, int], int] = defaultdict(int)
    found = []
    for record in records:
        partition = partition_of(record.key, PARTITIONS)
        offset = ends[record.topic, partition]
        ends[record.topic, partition] = offset + 1
        found.append(record._replace(topic=prefix + record.topic, partition=partition, offset=offset))
    return found


def highest(records: Iterable[Consumed]) -> dict[tuple[str, bytes], bytes | None]:
    """Topic and key → the value of its record with the highest version, of equal ones the later in the topic."""
    ranks: dict[tuple[str, bytes], tuple[tuple[int, int], bytes | None]] = {}
    for record in records:
        version = version_of(record)
        if version is not None:
            rank = version, record.offset
            known = ranks.get((record.topic, record.key))
            if known is None or rank > known[0]:
                ranks[record.topic, record.key] = rank, record.value
    return {place: value for place, (_, value) in ranks.items()}


def version_of(record: Consumed) -> int | None:
    if record.value == GARBAGE.value:
        return None
    if record.value is None:
        return int(dict(record.headers)[VERSION])
    types = {
        topics.JOURNEY_STATES.name: JOURNEY_STATE, topics.ACCOUNT_STATES.name: ACCOUNT_STATE,
        topics.IDENTITY_ASSIGNMENTS.name: IDENTITY_ASSIGNMENT,
    }  # fmt: skip
    return types[record.topic].decode(record.value)["version"]


_tenants, _names, _versions = st.sampled_from(TENANTS), st.sampled_from(NAMES), st.integers(0, 5)
_topics = st.sampled_from([topics.JOURNEY_STATES.name, topics.IDENTITY_ASSIGNMENTS.name])
records = st.one_of(
    st.builds(state, _names, _versions, _tenants),
    st.builds(no_state, _names, _versions, _tenants),
    st.builds(owner, _names, _names, _versions, _tenants),
    st.builds(erased, _names, _versions, _tenants),
    st.builds(account, _names, _versions, _tenants),
    st.builds(lambda topic: GARBAGE._replace(topic=topic), _topics),
)
logs = st.lists(records, max_size=25).map(placed)
