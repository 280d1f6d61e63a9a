"""What a Segment message becomes: names, people, money, campaign, and nothing that nobody asked for."""

from contextlib import suppress
from string import printable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import Catalogue
from schemas.errors import ContractError, SettingsError
from schemas.touchpoint.json_form import from_json
from schemas.touchpoint.rules import check
from streams.collect.mapping_file import built_in
from streams.collect.messages import snake_case
from streams.collect.senders import Sender
from streams.identity.policy.load import load
from tests.support.collector_messages import identifiers, mapped, message, stored_type
from tests.support.touchpoints import START


def test_a_message_becomes_a_touchpoint_that_keeps_the_contract() -> None:
    found = mapped(message(), received_at=START + 5)

    assert found == {
        "tenant": "default", "source": "web-shop", "event_id": "m1", "occurred_at": START, "received_at": START + 5,
        "channel": "web", "type": "product_viewed", "identifiers": [{"type": "cookie", "value": "anon-1"}],
        "attributes": {},
    }  # fmt: skip
    check(from_json(found, START))


def test_every_type_that_the_built_in_mapping_makes_of_an_event_is_in_the_catalogue() -> None:
    known = Catalogue.load("").types

    assert set(built_in().events.values()) <= set(known)


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("Product Added", "add_to_cart"),
        ("product_added", "add_to_cart"),
        ("productAdded", "add_to_cart"),
        ("Order Completed", "order_placed"),
        ("Product Shared", "referral_made"),
        ("Rode the  Ferris-Wheel", "rode_the_ferris_wheel"),
        ("HTTPError Seen", "http_error_seen"),
        ("Größe gewählt", "größe_gewählt"),
        ("!!!", "!!!"),
    ],
)
def test_an_event_has_its_catalogue_type_or_else_its_name_in_snake_case(name: str, type_: str) -> None:
    assert stored_type(mapped(message(event=name))) == type_


@given(st.text(printable, min_size=1, max_size=60).filter(str.strip))
def test_a_name_in_snake_case_stays_as_it_is(name: str) -> None:
    once = snake_case(name)

    assert once
    assert snake_case(once) == once


@pytest.mark.parametrize(
    ("call", "type_", "channel"),
    [
        ("identify", "identify", "web"), ("page", "page_view", "web"), ("screen", "page_view", "app"),
        ("group", "group", "web"), ("alias", "alias", "web"),
    ],
)  # fmt: skip
def test_a_call_that_is_no_event_has_a_type_too(call: str, type_: str, channel: str) -> None:
    found = mapped(message(call))

    assert (found["type"], found["channel"]) == (type_, channel)


def test_user_anonymous_visitor_and_traits_become_identifiers() -> None:
    found = mapped(
        message("identify", userId="u1", traits={"email": "ann@example.com", "phone": "+491701234567"})
    )

    assert identifiers(found) == {
        ("customer_id", "u1"), ("cookie", "anon-1"), ("email", "ann@example.com"), ("phone", "+491701234567"),
    }  # fmt: skip


def test_a_user_id_that_is_an_address_is_an_email_and_so_pseudonymised() -> None:
    found = mapped(message(userId="ann@example.com"))
    policy = load("", b"0123456789abcdef" * 2, "k1")

    assert identifiers(found) == {("email", "ann@example.com"), ("cookie", "anon-1")}
    prepared = policy.for_tenant("default").usable(from_json(found, 0)["identifiers"])
    assert not any("ann@" in one["value"] for one in prepared)


def test_an_alias_joins_the_previous_id_to_the_user() -> None:
    found = mapped(message("alias", anonymousId=None, previousId="anon-7", userId="u1"))

    assert identifiers(found) == {("customer_id", "u1"), ("cookie", "anon-7")}


def test_a_numeric_id_is_read_as_text_and_an_object_is_no_id() -> None:
    assert identifiers(mapped(message(userId=17, anonymousId={"a": 1}))) == {("customer_id", "17")}


def test_group_campaign_session_and_order_find_their_fields() -> None:
    context = {"campaign": {"name": "spring", "source": "news"}, "sessionId": 1700000000, "groupId": "acme"}
    found = mapped(message(event="Order Completed", properties={"order_id": "o-1"}, context=context))

    assert (found["account_id"], found["campaign"], found["session_id"]) == ("acme", "spring", "1700000000")
    assert found["attributes"]["utm_source"] == "news"
    assert found["order_id"] == "o-1"


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"revenue": 19.99, "currency": "EUR"}, (1999, "EUR")),
        ({"revenue": "19.99", "currency": "eur"}, (1999, "EUR")),
        ({"total": 27.5, "currency": "USD"}, (2750, "USD")),
        ({"revenue": 25, "total": 27.5, "currency": "USD"}, (2500, "USD")),
        ({"revenue": 1500, "currency": "JPY"}, (1500, "JPY")),
        ({"revenue": 1.5, "currency": "KWD"}, (1500, "KWD")),
        ({"revenue": 0.1 + 0.2, "currency": "EUR"}, (30, "EUR")),
        ({"revenue": -5, "currency": "EUR"}, (-500, "EUR")),
        ({"revenue": 19.99}, (None, None)),
        ({"revenue": "much", "currency": "EUR"}, (None, None)),
        ({"revenue": True, "currency": "EUR"}, (None, None)),
        ({"revenue": 1e300, "currency": "EUR"}, (None, None)),
        ({"revenue": 10**14, "currency": "EUR"}, (10**16, "EUR")),
        ({"revenue": 10**14 + 1, "currency": "EUR"}, (None, None)),
        ({"revenue": -(2**63), "currency": "JPY"}, (None, None)),
        ({"revenue": 5, "currency": "Euro"}, (None, None)),
        ({"revenue": 5, "currency": "XXQ"}, (None, None)),
    ],
)
def test_money_is_in_minor_units_of_its_currency_or_stays_an_attribute(
    properties: dict[str, Any], expected: Any
) -> None:
    found = mapped(message(event="Order Completed", properties=properties))

    assert (found.get("amount_minor"), found.get("currency")) == expected
    assert "revenue" in found["attributes"] or "total" in found["attributes"]
    check(from_json(found, 0))


def test_properties_become_attributes_without_what_may_say_who_it_is() -> None:
    properties = {
        "sku": "A1", "quantity": 2, "gift": False, "none": None, "products": [{"sku": "A1"}],
        "email": "ann@example.com", "url": "https://shop.example/p?token=secret#x", "search": "?email=ann@example.com",
    }  # fmt: skip
    found = mapped(
        message(properties=properties, traits={"name": "Ann"}, context={"ip": "1.2.3.4", "userAgent": "UA"})
    )

    assert found["attributes"] == {
        "sku": "A1", "quantity": "2", "gift": "false", "products": '[{"sku":"A1"}]', "url": "https://shop.example/p",
    }  # fmt: skip
    assert ("email", "ann@example.com") in identifiers(found)


def test_what_is_too_large_for_an_attribute_is_named_and_costs_nothing_else() -> None:
    many = {f"p{number}": "x" for number in range(200)}
    found = mapped(message(properties={"long": "x" * 9000, **many}))

    check(from_json(found, 0))
    assert found["attributes"]["left_out"].startswith("long, p127")
    assert found["attributes"]["p0"] == "x"


@pytest.mark.parametrize(
    "bad", [None, 7, "x", [], {}, {"type": "videotape"}, {"type": "track"}, {"type": "track", "event": 3}]
)
def test_what_is_no_message_is_refused_with_a_reason(bad: Any) -> None:
    with pytest.raises(ContractError):
        mapped(bad)


def test_a_message_without_an_id_has_one_of_its_content_so_that_a_retry_has_the_same() -> None:
    first = message(messageId=None, sentAt="2026-01-01T00:00:01Z")
    again = {**first, "sentAt": "2026-01-01T00:00:09Z"}

    assert mapped(first)["event_id"] == mapped(again, received_at=START + 9_000)["event_id"]
    assert mapped(first)["event_id"] != mapped({**first, "event": "Other"})["event_id"]
    assert mapped(first)["event_id"] != mapped({**first, "timestamp": "2026-01-01T00:00:02Z"})["event_id"]


def test_the_write_key_says_tenant_source_and_the_channel_of_servers() -> None:
    sender = Sender("k", "acme", "crm", "backoffice")
    found = mapped(message(channel="server"), sender=sender)

    assert (found["tenant"], found["source"], found["channel"]) == ("acme", "crm", "backoffice")
    assert mapped(message(channel="mobile"), sender=sender)["channel"] == "app"


def test_a_file_of_ones_own_is_laid_over_the_built_in_mapping() -> None:
    own = """
currency = "EUR"
[events]
ferris_wheel = "ride"
[identifiers]
loyalty_id = "context.traits.card"
cookie = []
[fields]
campaign = ["properties.utm", "context.campaign.name"]
"""
    one = message(
        event="Ferris Wheel", properties={"revenue": 1, "utm": "x"}, context={"traits": {"card": "L1"}}
    )
    found = mapped(one, mapping=own)

    assert (found["type"], found["currency"], found["campaign"]) == ("ride", "EUR", "x")
    assert identifiers(found) == {("loyalty_id", "L1")}
    assert mapped(message(event="Product Shared"), mapping=own)["type"] == "referral_made"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("chanel = 'x'", "own.toml, line 1: chanel: unknown"),
        ("channel = ''", "name the channel"),
        ("currency = 5", "text in quotes"),
        ("clock_tolerance = -1", "seconds"),
        ("[events]\nx = 5", "line 2: events.x: write it as a text"),
        ("[identifiers]\n'a b' = 'userId'", "use 1 to 64"),
        ("[identifiers]\nemail = 5", "a path or a list"),
        ("[fields]\nemail = 'traits.email'", "is no field"),
        ("[fields]\ntype = 'event'", "is filled by the collector"),
        ("[leave_out]\ntraits = ['x']", "the list properties"),
        ("calls = 'x'", r"begin it with \[calls\]"),
        ("not toml", "is not TOML"),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_line_and_the_fix(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        mapped(message(), mapping=text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
FIELD = st.sampled_from(
    ["type", "event", "userId", "anonymousId", "previousId", "groupId", "messageId", "timestamp", "originalTimestamp",
     "sentAt", "context", "properties", "traits", "channel", "integrations"]
)  # fmt: skip
HOSTILE = st.dictionaries(FIELD, JSON | st.sampled_from(["track", "identify", "alias"]), max_size=8)


@given(HOSTILE | JSON, st.none() | st.integers(-(2**62), 2**62))
def test_no_message_raises_anything_but_the_contracts_error(one: Any, sent_at: int | None) -> None:
    with suppress(ContractError):
        check(from_json(mapped(one, sent_at=sent_at), 0))
