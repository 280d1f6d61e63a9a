"""Service cases: opened, contacted, handed over, solved, overdue."""

from typing import Any

from tests.support.journeys import HOUR, START, signals, state, touchpoint


def contact(minute: float, channel: str = "chatbot", type: str = "support_message", **fields: Any) -> Any:  # noqa: A002
    return touchpoint(type, minute, channel=channel, issue_id="i1", **fields)


def test_chat_to_phone_within_one_issue_is_a_handoff() -> None:
    assert state(contact(0), contact(5, "phone"))["handoffs"] == 1
    assert state(contact(0, "phone"), contact(5))["handoffs"] == 0
    assert state(contact(0), touchpoint("support_call", 5, channel="phone", issue_id="i2"))["handoffs"] == 0


def test_a_solved_issue_is_closed_and_counted() -> None:
    found = state(contact(0), contact(5, type="issue_solved"))
    assert (found["open_issues"], found["issues_solved"]) == ([], 1)


def test_solving_twice_counts_once() -> None:
    solved = [contact(minute, type="issue_solved") for minute in (5, 6)]
    assert state(contact(0), *solved)["issues_solved"] == 1


def test_an_answer_to_our_survey_opens_no_issue_and_is_no_contact() -> None:
    survey = contact(9, type="csat_answered", score={"kind": "CSAT", "value": 5})
    assert state(survey)["open_issues"] == []
    assert state(contact(0), survey)["open_issues"][0]["contacts"] == 1


def test_a_solved_issue_opens_again_only_by_a_touchpoint_that_says_so() -> None:
    solved = contact(5, type="issue_solved")
    assert state(contact(0), solved, contact(9))["open_issues"] == []
    found = state(contact(0), solved, contact(9), contact(10, type="issue_reopened"))
    assert found["issues_solved"] == 0
    assert [(item["opened_at"] - START) // 60_000 for item in found["open_issues"]] == [10]


def test_the_third_separate_contact_is_a_repeat_contact() -> None:
    messages_of_one_chat = [contact(minute) for minute in range(8)]
    assert "repeat_contact" not in signals(*messages_of_one_chat)
    (signal,) = signals(contact(0), contact(5, "phone"), contact(60, "phone"))["repeat_contact"]
    assert signal.event_ids == ("support_message@0", "support_message@5", "support_message@60")
    assert signal.details == {"issue_id": "i1"}
    assert signal.occurred_at == START + HOUR


def test_a_third_channel_within_one_issue_is_channel_hopping() -> None:
    assert "channel_hopping" not in signals(contact(0), contact(1, "email"))
    (signal,) = signals(contact(0), contact(1, "email"), contact(2, "phone"))["channel_hopping"]
    assert signal.details == {"issue_id": "i1", "channels": "chatbot, email, phone"}


def test_an_issue_is_overdue_after_72_hours_unless_it_was_solved_in_time() -> None:
    overdue = 72 * 60 + 1
    assert "issue_overdue" not in signals(contact(0), minute=overdue - 1)
    (signal,) = signals(contact(0), minute=overdue)["issue_overdue"]
    assert signal.occurred_at == START + 72 * HOUR
    assert "issue_overdue" not in signals(contact(0), contact(60, type="issue_solved"), minute=overdue)


def test_an_issue_that_was_solved_too_late_stays_overdue_under_the_same_id() -> None:
    solved_late = contact(80 * 60, type="issue_solved")
    (before,) = signals(contact(0), minute=79 * 60)["issue_overdue"]
    (after,) = signals(contact(0), solved_late)["issue_overdue"]
    assert before == after


def test_an_issue_solved_after_one_contact_is_resolved_at_first_contact() -> None:
    solved = contact(30, type="issue_solved")
    found = state(contact(0), contact(1), solved)  # two messages of one chat are one contact
    assert (found["issues_first_contact"], found["first_contact_resolution"]) == (1, 1.0)
    found = state(contact(0), contact(5, "phone"), solved)
    assert (found["issues_first_contact"], found["first_contact_resolution"]) == (0, 0.0)
    assert state(contact(0))["first_contact_resolution"] is None


def test_contacting_us_again_after_the_solution_was_not_the_first_contact() -> None:
    solved = contact(5, type="issue_solved")
    assert state(contact(0), solved, contact(600, "phone"))["issues_first_contact"] == 0
    assert state(contact(0), solved, contact(600, type="issue_reopened"))["issues_first_contact"] == 0


def test_a_case_is_an_expectation_of_us_until_it_is_due() -> None:
    def statuses(*items: Any) -> list[tuple[str, str]]:
        return [(item["status"], item["issue_id"]) for item in state(*items)["expectations"]]

    overdue = 72 * 60 + 1
    assert statuses(contact(0)) == [("OPEN", "i1")]
    assert statuses(contact(0), contact(9, type="issue_solved")) == [("MET", "i1")]
    assert statuses(contact(0), touchpoint("email_sent", overdue)) == [("MISSED", "i1")]
    assert statuses(contact(0), contact(overdue, type="issue_solved")) == [("MISSED", "i1")]
