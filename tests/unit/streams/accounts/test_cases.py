"""Accounts as their users meet them."""

from typing import Any

import pytest

from schemas.records import AccountState, MemberSummary, Touchpoint
from streams.accounts.contributions import combine
from streams.journeys.memberships import Memberships, summary_of
from streams.journeys.timeline.timeline import Timeline
from streams.replay import Replay
from tests.support.built_in import CATALOGUE, POLICY, RULES
from tests.support.journeys import state
from tests.support.touchpoints import touchpoint


def accounts(*events: Touchpoint) -> dict[tuple[str, str], AccountState]:
    replay = Replay(POLICY, CATALOGUE, RULES)
    for event in events:
        replay.add(event)
    return {(found["tenant"], found["account_id"]): found for found in replay.accounts()}


def by(who: str, event_id: str, type: str, minute: float, **fields: Any) -> Touchpoint:  # noqa: A002
    return touchpoint(event_id, type=type, minute=minute, ids=[("customer_id", who)], **fields)


def test_an_account_adds_up_its_members() -> None:
    order = {"amount_minor": 1000, "currency": "EUR"}
    found = accounts(
        by("anna", "e1", "order_placed", 0, account_id="A", **order),
        by("ben", "e2", "order_placed", 10, account_id="A", sentiment=-0.5, **order),
        by("ben", "e3", "order_returned", 20, amount_minor=400, currency="EUR"),
        by("carl", "e4", "product_view", 30, sentiment=0.2),
    )

    (account,) = found.values()
    assert (account["members"], account["orders"], account["revenue"]) == (2, 2, {"EUR": 1600})
    assert account["sentiment"] == -0.5
    assert account["last_touch"]["type"] == "order_returned"
    assert account["last_touch"]["profile_id"] == account["member_ids"][0]
    assert account["touchpoints"] == 3


def test_a_case_that_two_colleagues_have_open_counts_once() -> None:
    case = {"account_id": "A", "issue_id": "case-1"}
    found = accounts(
        by("anna", "e1", "issue_opened", 0, channel="phone", **case),
        by("ben", "e2", "support_chat", 90, channel="chat", **case),
        by("ben", "e3", "issue_opened", 95, account_id="A", issue_id="case-2"),
    )

    account = found["default", "A"]
    assert account["open_issues"] == 2
    first = account["oldest_issues"][0]
    assert (first["issue_id"], first["contacts"], first["channels"]) == ("case-1", 2, ["chat", "phone"])
    assert len(first["profile_ids"]) == 2


def test_who_changes_employer_takes_their_journey_along() -> None:
    found = accounts(
        by("anna", "e1", "order_placed", 0, account_id="old"),
        by("ben", "e2", "product_view", 5, account_id="old"),
        by("anna", "e3", "product_view", 9, account_id="new"),
    )

    assert (found["default", "old"]["members"], found["default", "old"]["orders"]) == (1, 0)
    assert (found["default", "new"]["members"], found["default", "new"]["orders"]) == (1, 1)


def test_a_late_event_of_the_old_employer_does_not_bring_the_member_back() -> None:
    found = accounts(
        by("anna", "e2", "product_view", 9, account_id="new"),
        by("anna", "e1", "product_view", 0, account_id="old"),
    )

    assert set(found) == {("default", "new")}


def test_a_merge_leaves_one_member_and_a_shared_device_two() -> None:
    cookie, anna, ben = ("cookie", "c"), ("customer_id", "anna"), ("customer_id", "ben")
    apart = [
        touchpoint("e1", minute=0, ids=[cookie], account_id="A"),
        touchpoint("e2", minute=1, ids=[anna], account_id="A"),
    ]
    merged = [*apart, touchpoint("e3", minute=2, ids=[cookie, anna])]
    split = [*merged, touchpoint("e4", minute=3, ids=[cookie, ben], account_id="A")]

    assert [accounts(*events)["default", "A"]["members"] for events in (apart, merged, split)] == [2, 1, 2]


def test_the_same_account_name_with_another_tenant_is_another_account() -> None:
    found = accounts(
        by("anna", "e1", "product_view", 0, account_id="A", tenant="acme"),
        by("anna", "e1", "product_view", 0, account_id="A", tenant="globex"),
    )

    assert [account["members"] for account in found.values()] == [1, 1]


def test_old_anger_fades_until_the_newest_touchpoint_of_a_colleague() -> None:
    day = 24 * 60
    found = accounts(
        by("anna", "e1", "payment_error", 0, account_id="A"),  # friction 2
        by("ben", "e2", "product_view", day, account_id="A"),
    )

    assert (found["default", "A"]["friction_max"], found["default", "A"]["friction_mean"]) == (1.0, 0.5)


def told(
    book: Memberships, version: int, account_id: str | None, minute: float = 0
) -> list[tuple[str, bool]]:
    journey = state(touchpoint("e1", minute=minute, account_id=account_id))
    return [
        (item["account_id"], item["summary"] is not None)
        for item in book.contributions(b"k", "t", "p", version, journey)
    ]


def test_an_account_hears_of_its_members_and_once_of_those_that_left() -> None:
    book = Memberships()

    assert told(book, 1, "A") == [("A", True)]
    assert told(book, 2, "A", minute=1) == [("A", True)]
    assert told(book, 3, "B") == [("A", False), ("B", True)]
    assert told(book, 4, None) == [("B", False)]
    assert told(book, 5, None) == []


def test_an_account_that_a_profile_passed_through_within_one_fetch_hears_that_it_left() -> None:
    book, timeline = Memberships(), Timeline("t", "p")
    for account_id in ("A", None, "B"):
        book.note_input(b"k", timeline, {"touchpoint": touchpoint("e1", account_id=account_id)})

    assert told(book, 3, "B") == [("A", False), ("B", True)]


def test_after_a_restart_the_account_hears_again_and_one_that_was_left_hears_that() -> None:
    journey = state(touchpoint("e1", account_id="A"))
    same, moved, gone = Memberships(), Memberships(), Memberships()
    for book in (same, moved, gone):
        book.resume(b"k", Timeline("t", "p"), journey["account_id"])

    assert told(same, 2, "A") == [("A", True)]
    assert told(moved, 2, "B") == [("A", False), ("B", True)]
    assert [item["summary"] for item in gone.contributions(b"k", "t", "p", 2, None)] == [None]


@pytest.mark.parametrize("account_id", [None, "x" * 201])
def test_a_profile_without_an_account_or_with_nonsense_for_one_says_nothing(account_id: str | None) -> None:
    assert told(Memberships(), 1, account_id) == []


def test_a_giant_account_has_a_state_of_bounded_size() -> None:
    member = summary_of(state(touchpoint("e1", type="issue_opened", issue_id="i", account_id="A")))
    members: dict[str, MemberSummary] = {
        f"p{number}": {**member, "open_issues": [{**member["open_issues"][0], "issue_id": f"i{number}"}]}
        for number in range(1000)
    }

    account = combine("default", "A", 1, members, RULES.friction_half_life_ms)

    assert (account["members"], account["open_issues"]) == (1000, 1000)
    assert (len(account["member_ids"]), len(account["oldest_issues"])) == (100, 50)
