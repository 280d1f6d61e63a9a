"""PostHog's, Snowplow's and CloudEvents' events: what they mean as touchpoints."""

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ContractError
from schemas.http.problems import ProblemError
from schemas.touchpoint.json_form import from_json
from schemas.touchpoint.rules import check
from streams.collect import cloudevents, posthog, snowplow
from streams.collect.items import Head, Item, Posted
from streams.collect.mapping_file import built_in
from streams.collect.senders import Sender
from tests.support.collector_messages import SENDER, identifiers, stored_type
from tests.support.touchpoints import START


def items(posted: Posted, sender: Sender = SENDER) -> list[Item]:
    return list(posted.items(sender, built_in(), START))


def only(posted: Posted, sender: Sender = SENDER) -> dict[str, Any]:
    (item,) = items(posted, sender)
    assert item.touchpoint is not None, item.error
    check(from_json(item.touchpoint, 0))
    return item.touchpoint


def capture(name: str = "Product Viewed", distinct: str = "u1", **properties: Any) -> dict[str, Any]:
    return {
        "event": name, "distinct_id": distinct, "uuid": "id-1", "timestamp": "2026-01-01T00:00:00Z",
        "properties": properties,
    }  # fmt: skip


def posted(*events: Any, **around: Any) -> Posted:
    return posthog.read(Head(), json.dumps({"api_key": "k", "batch": events, **around}).encode())


def test_a_posthog_event_keeps_its_id_and_loses_what_the_library_adds() -> None:
    event = capture(
        "Order Completed",
        revenue=5,
        currency="EUR",
        utm_campaign="spring",
        **{"$lib": "web", "$ip": "1.2.3.4"},
    )
    found = only(posted(event))

    assert (found["event_id"], stored_type(found), found["channel"]) == ("id-1", "order_placed", "web")
    assert (found["amount_minor"], found["campaign"]) == (500, "spring")
    assert found["attributes"] == {"revenue": "5", "currency": "EUR", "library": "web"}


@pytest.mark.parametrize(
    ("event", "who"),
    [
        (capture(), {("customer_id", "u1")}),
        (capture(distinct="anon", **{"$device_id": "anon"}), {("cookie", "anon")}),
        (capture(distinct="anon", **{"$process_person_profile": False}), {("cookie", "anon")}),
        (capture(distinct="u1", **{"$device_id": "anon"}), {("customer_id", "u1"), ("cookie", "anon")}),
        (
            capture("$identify", **{"$anon_distinct_id": "anon", "$set": {"email": "ann@example.com"}}),
            {("customer_id", "u1"), ("cookie", "anon"), ("email", "ann@example.com")},
        ),
    ],
)
def test_a_distinct_id_is_a_users_or_a_devices(event: dict[str, Any], who: set[tuple[str, str]]) -> None:
    assert identifiers(only(posted(event))) == who


@pytest.mark.parametrize(
    "event",
    [
        capture("$create_alias", "anon", alias="u1", **{"$lib": "posthog-python"}),
        capture("$create_alias", "u1", alias="anon", **{"$lib": "posthog-node"}),
    ],
)
def test_a_posthog_alias_joins_the_anonymous_id_to_the_user_in_each_librarys_order(
    event: dict[str, Any],
) -> None:
    assert identifiers(only(posted(event))) == {("customer_id", "u1"), ("cookie", "anon")}


def test_what_posthog_says_of_a_group_is_nobodys() -> None:
    (item,) = items(posted(capture("$groupidentify", "random")))

    assert item.touchpoint is None
    assert item.error is not None
    assert item.error.reason.value == "NO_IDENTIFIER"


def test_groups_and_sessions_of_posthog_find_their_fields() -> None:
    found = only(posted(capture(**{"$groups": {"company": "acme"}, "$session_id": "s1"})))

    assert (found["account_id"], found["session_id"]) == ("acme", "s1")


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (Head(), json.dumps([capture()]).encode()),
        (Head(), json.dumps(capture()).encode()),
        (
            Head(media_type="application/x-www-form-urlencoded"),
            b"data=" + base64.b64encode(json.dumps(capture()).encode()),
        ),
    ],
)
def test_posthogs_bodies_are_an_array_an_event_or_a_form(head: Head, body: bytes) -> None:
    assert only(posthog.read(head, body))["event_id"] == "id-1"


def test_posthogs_key_is_found_around_the_events_or_in_them() -> None:
    assert posted(capture()).write_key == "k"
    assert posthog.read(Head(), json.dumps([capture(token="t")]).encode()).write_key == "t"


def tracked(**fields: str) -> dict[str, Any]:
    event = {
        "e": "pv", "eid": "id-1", "aid": "k", "p": "web", "uid": "u1", "duid": "anon", "dtm": str(START),
        "stm": str(START), **fields,
    }  # fmt: skip
    return only(snowplow.read_post(Head(), json.dumps({"data": [event]}).encode()))


def test_a_snowplow_page_view_has_its_ids_page_and_campaign() -> None:
    found = tracked(url="https://shop.example/a?utm_campaign=spring&email=x@y.org", page="Home", sid="s1")

    assert (found["type"], found["event_id"], found["campaign"], found["session_id"]) == (
        "page_view",
        "id-1",
        "spring",
        "s1",
    )
    assert identifiers(found) == {("customer_id", "u1"), ("cookie", "anon")}
    assert found["attributes"] == {"page_path": "/a", "page_title": "Home"}


@pytest.mark.parametrize("name", ["ue_pr", "ue_px"])
def test_a_snowplow_self_describing_event_is_named_by_its_schema(name: str) -> None:
    inner = {
        "schema": "iglu:com.acme/order_completed/jsonschema/1-0-0",
        "data": {"revenue": 5, "currency": "EUR"},
    }
    text = json.dumps({"schema": "iglu:x/unstruct_event/jsonschema/1-0-0", "data": inner})
    found = tracked(
        e="ue", **{name: text if name == "ue_pr" else base64.urlsafe_b64encode(text.encode()).decode()}
    )

    assert (stored_type(found), found["amount_minor"]) == ("order_placed", 500)


def test_snowplows_structured_events_and_transactions_have_names_too() -> None:
    assert stored_type(tracked(e="se", se_ca="shop", se_ac="Product Added", se_va="3")) == "add_to_cart"
    order = tracked(e="tr", tr_id="o1", tr_tt="12.5", tr_cu="EUR")
    assert (stored_type(order), order["amount_minor"], order["order_id"]) == ("order_placed", 1250, "o1")


def test_a_snowplow_clock_is_corrected_unless_the_timestamp_is_true() -> None:
    hour = 3_600_000
    assert tracked(dtm=str(START + hour), stm=str(START + hour))["occurred_at"] == START
    assert tracked(ttm=str(START - hour), stm=str(START + hour))["occurred_at"] == START - hour


def test_snowplows_get_has_its_event_in_the_query() -> None:
    query = {"e": "pv", "eid": "id-1", "aid": "k", "duid": "anon", "dtm": str(START)}

    assert only(snowplow.read_get(Head(query=query), b""))["event_id"] == "id-1"
    assert snowplow.read_get(Head(query=query), b"").write_key == "k"


EVENT = {
    "specversion": "1.0", "id": "1", "source": "/shop", "type": "com.acme.order_completed",
    "time": "2026-01-01T00:00:00Z", "subject": "u1", "data": {"revenue": 5, "currency": "EUR"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (Head(media_type=cloudevents.STRUCTURED), json.dumps(EVENT).encode()),
        (Head(media_type=cloudevents.BATCHED), json.dumps([EVENT]).encode()),
        (
            Head(
                media_type="application/json",
                headers={f"ce-{name}": str(value) for name, value in EVENT.items() if name != "data"},
            ),
            json.dumps(EVENT["data"]).encode(),
        ),
    ],
)
def test_a_cloudevent_is_the_same_in_each_content_mode(head: Head, body: bytes) -> None:
    found = only(cloudevents.read(head, body))

    assert (found["event_id"], stored_type(found), found["occurred_at"]) == ("/shop 1", "order_placed", START)
    assert (found["amount_minor"], identifiers(found)) == (500, {("customer_id", "u1")})


def test_a_cloudevent_may_carry_a_touchpoint_as_it_is() -> None:
    event = {**EVENT, "data": {"identifiers": {"cookie": "c"}, "channel": "store", "type": "store_visit"}}
    found = only(cloudevents.read(Head(media_type=cloudevents.STRUCTURED), json.dumps(event).encode()))

    assert (found["type"], found["channel"], found["event_id"]) == ("store_visit", "store", "/shop 1")


@pytest.mark.parametrize(
    "change",
    [{"specversion": "0.3"}, {"id": ""}, {"id": 5}, {"source": None}, {"type": None}, {"data": [1]}],
)
def test_what_is_no_cloudevent_is_refused_with_a_reason(change: dict[str, Any]) -> None:
    (item,) = items(
        cloudevents.read(Head(media_type=cloudevents.STRUCTURED), json.dumps({**EVENT, **change}).encode())
    )

    assert item.touchpoint is None
    assert item.error is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
NAMES = st.sampled_from(
    ["event", "properties", "distinct_id", "timestamp", "uuid", "batch", "api_key", "data", "e", "ue_pr", "ue_px",
     "url", "dtm", "stm", "uid", "se_ac", "specversion", "id", "source", "type", "time", "subject", "$set", "alias"]
)  # fmt: skip
KNOWN = st.sampled_from(
    ["$identify", "$create_alias", "ue", "se", "pv", "1.0", "http://[", "2026-01-01T00:00:00Z"]
)
BODIES = st.dictionaries(NAMES, st.dictionaries(NAMES, JSON | KNOWN, max_size=3) | JSON | KNOWN, max_size=6)


@given(BODIES | JSON, st.sampled_from([posthog.read, snowplow.read_post, cloudevents.read]))
def test_no_body_raises_anything_but_a_problem_and_no_event_anything_but_the_contracts_error(
    one: Any, read: Any
) -> None:
    for body in (one, [one], {"batch": [one]}, {"data": [one]}):
        with suppress(ProblemError):
            for item in items(read(Head(media_type=cloudevents.STRUCTURED), json.dumps(body).encode())):
                with suppress(ContractError):
                    check(from_json(item.touchpoint, 0))
