"""What an endpoint is told about a signal, case by case; test_outbox_laws.py has the laws."""

from schemas.records import WebhookRequest
from sinks.webhooks.endpoints import DAY_MS, Retries
from sinks.webhooks.message import Attempt
from sinks.webhooks.outbox import REMEMBER_MS
from sinks.webhooks.verdicts import Reason, Verdict, of_http
from tests.support.webhooks import NOW, Driven, change, endpoint, notice

LOST = Verdict(Reason.TIMEOUT)
REFUSED = of_http(400)
NOT_SENT = Verdict(Reason.UNREACHABLE, sent=False)


def said(driven: Driven) -> list[str]:
    """What is told from now on, each confirmed at once."""
    found = []
    while (attempt := driven.deliver()) is not None:
        found.append(attempt.wanted)
    return found


def test_a_raise_and_later_its_retraction_are_told_in_order() -> None:
    driven = Driven()
    driven.told(notice(version=2))
    assert said(driven) == ["RAISED"]

    driven.told(notice(wanted="RETRACTED", version=4))
    assert said(driven) == ["RETRACTED"]
    assert said(driven) == []


def test_what_was_raised_and_retracted_before_the_first_attempt_is_never_told() -> None:
    driven = Driven()
    driven.told(notice(version=2), notice(wanted="RETRACTED", version=4))

    assert said(driven) == []
    assert driven.outcomes() == [("RAISED", "SUPERSEDED")]


def test_a_raise_that_may_have_arrived_is_taken_back_and_not_told_again() -> None:
    driven = Driven()
    driven.told(notice(version=2))
    driven.deliver(LOST)
    driven.told(notice(wanted="RETRACTED", version=4))
    driven.now += DAY_MS

    assert said(driven) == ["RETRACTED"]


def test_a_raise_that_cannot_have_arrived_needs_no_retraction() -> None:
    for verdict in (NOT_SENT, REFUSED):
        driven = Driven()
        driven.told(notice(version=2))
        driven.deliver(verdict)
        driven.told(notice(wanted="RETRACTED", version=4))
        driven.now += DAY_MS

        assert said(driven) == []


def test_a_retraction_during_the_attempt_of_the_raise_waits_for_its_answer() -> None:
    for verdict, after in ((Verdict(None, 200), ["RETRACTED"]), (LOST, ["RETRACTED"]), (REFUSED, [])):
        driven = Driven()
        driven.told(notice(version=2))
        begun = driven.begin()
        assert begun is not None
        driven.told(notice(wanted="RETRACTED", version=4))
        assert driven.deliver() is None, "one attempt per person at a time"
        driven.finish(begun, verdict)

        assert said(driven) == after


def test_a_kill_during_an_attempt_counts_as_an_arrival() -> None:
    driven = Driven()
    driven.told(notice(version=2))
    driven.begin()
    driven.kill()
    driven.told(notice(wanted="RETRACTED", version=4))

    assert said(driven) == ["RETRACTED"]


def test_nothing_is_tried_before_it_is_written() -> None:
    driven = Driven()
    driven.take(notice())
    assert driven.deliver() is None

    driven.write()
    assert driven.deliver() is not None


def test_the_webhook_id_stays_over_retries_restarts_and_another_reading() -> None:
    driven = Driven()
    driven.told(notice(version=2))
    first = driven.deliver(LOST)
    driven.now += DAY_MS
    driven.kill()
    driven.take(notice(version=2))
    second = driven.deliver(LOST)
    other = Driven()
    other.told(notice(version=2))
    third = other.deliver()

    assert first
    assert second
    assert third
    assert first.webhook_id == second.webhook_id == third.webhook_id


def test_a_raise_told_again_after_a_retraction_has_another_id() -> None:
    driven = Driven()
    ids = []
    for wanted, version in (("RAISED", 2), ("RETRACTED", 4), ("RAISED", 6), ("RETRACTED", 8)):
        driven.told(notice(wanted=wanted, version=version))
        attempt = driven.deliver()
        assert attempt is not None
        ids.append(attempt.webhook_id)

    assert len(set(ids)) == 4


def test_a_raise_that_may_have_arrived_keeps_its_id_if_it_holds_again() -> None:
    driven = Driven()
    driven.told(notice(version=2))
    first = driven.deliver(LOST)
    driven.told(notice(wanted="RETRACTED", version=4), notice(version=6))
    driven.now += DAY_MS
    second = driven.deliver()

    assert first
    assert second
    assert first.webhook_id == second.webhook_id


def test_repeats_and_older_records_tell_nothing() -> None:
    driven = Driven()
    driven.told(notice(version=6))
    assert said(driven) == ["RAISED"]
    driven.told(notice(version=8), notice(wanted="RETRACTED", version=7), notice(version=6))

    assert said(driven) == []


def test_a_retraction_of_what_was_never_told_tells_nothing() -> None:
    driven = Driven()
    driven.told(notice(wanted="RETRACTED"))

    assert said(driven) == []
    assert len(driven.outbox) == 0


def test_a_retraction_reaches_an_endpoint_that_asks_for_the_kind_no_more() -> None:
    driven = Driven()
    driven.told(notice(version=2))
    said(driven)
    driven.take(notice(wanted="RETRACTED", version=4), wanted=False)
    driven.write()

    assert said(driven) == ["RETRACTED"]


def test_an_endpoint_may_do_without_retractions() -> None:
    driven = Driven(endpoint(retractions=False))
    driven.told(notice(version=2))
    said(driven)
    driven.told(notice(wanted="RETRACTED", version=4))

    assert said(driven) == []


def test_messages_of_one_person_wait_for_each_other_and_those_of_others_do_not() -> None:
    driven = Driven()
    driven.told(notice("s1"), notice("s2"), notice("s3", person="p2"))
    driven.deliver(LOST)

    second = driven.deliver()
    assert second is not None
    assert b"s3" in second.payload
    assert driven.deliver() is None
    driven.now += 2000
    assert [driven.deliver().payload.count(one) for one in (b"s1", b"s2")] == [1, 1]  # type: ignore[union-attr]


def test_a_dead_message_lets_the_next_one_pass_and_can_be_revived_behind_it() -> None:
    driven = Driven()
    driven.told(notice("s1"), notice("s2"))
    dead = driven.deliver(REFUSED)
    assert dead is not None
    assert said(driven) == ["RAISED"]
    request = {
        "tenant": "default", "profile_id": "p1", "endpoint": "campaigns", "subject": "s1",
        "webhook_id": dead.webhook_id, "requested_at": NOW,
    }  # fmt: skip
    driven.kill()

    assert not driven.outbox.revive({**request, "webhook_id": "msg_other"}, NOW)
    assert driven.outbox.revive(request, NOW)  # type: ignore[arg-type]
    assert not driven.outbox.revive(request, NOW), "twice is once"  # type: ignore[arg-type]
    driven.write()
    again = driven.deliver()
    assert again is not None
    assert again.webhook_id == dead.webhook_id
    assert again.payload == dead.payload


def test_a_message_is_given_up_after_its_patience_and_a_410_at_once() -> None:
    driven = Driven(endpoint(retries=Retries(1000, 1000, give_up_ms=5000)))
    driven.told(notice())
    attempts = 0
    while driven.deliver(LOST) is not None:
        attempts += 1
        driven.now += 1000
    assert attempts == 6, "at 0 and after 1 to 5 seconds"
    assert driven.log[-1]["outcome"] == "DEAD"
    assert driven.log[-1]["reason"] == "EXPIRED"

    driven = Driven()
    driven.told(notice())
    driven.deliver(of_http(410))
    assert driven.log[-1]["reason"] == "GONE"


def test_a_retraction_of_a_dead_raise_is_told_only_if_the_raise_may_have_arrived() -> None:
    for verdict, after in ((LOST, ["RETRACTED"]), (NOT_SENT, [])):
        driven = Driven(endpoint(retries=Retries(1000, 1000, give_up_ms=1)))
        driven.told(notice(version=2))
        driven.deliver(verdict)
        driven.told(notice(wanted="RETRACTED", version=4))

        assert said(driven) == after


def test_the_changelog_lets_go_of_payloads_that_were_delivered_and_keeps_dead_ones() -> None:
    driven = Driven()
    driven.told(notice("s1"), notice("s2"))
    driven.deliver()
    driven.deliver(REFUSED)

    payloads = {key.subject: record["payload"] for key, record in driven.stored.items()}
    assert payloads["s1"] == b""
    assert payloads["s2"] == notice("s2").payload


def test_what_stands_is_remembered_for_ever_and_what_was_taken_back_for_a_month() -> None:
    driven = Driven()
    driven.told(notice("s1"), notice("s2"), notice("s2", "RETRACTED", 4))
    said(driven)
    driven.outbox.forget(NOW + REMEMBER_MS - 1)
    assert len(driven.outbox) == 2
    driven.outbox.forget(NOW + REMEMBER_MS + 1)
    driven.write()

    assert [key.subject for key in driven.stored] == ["s1"]
    driven.told(notice("s1", "RETRACTED", 6))
    assert said(driven) == ["RETRACTED"]


def test_one_message_counts_once_for_a_cap_however_often_it_is_tried() -> None:
    driven = Driven()
    driven.told(notice("s1"))
    for _ in range(3):
        driven.deliver(LOST)
        driven.now += DAY_MS
        driven.kill()
    driven.told(notice("s2"))
    first = driven.begin()
    assert first is not None
    assert driven.outbox.reached(first[0], NOW - 1) == 0, "not by itself"
    driven.finish(first, Verdict(None, 200))
    second = driven.begin()
    assert second is not None
    assert driven.outbox.reached(second[0], NOW - 1) == 1


def test_a_cap_remembers_over_restarts_what_one_signal_told_twice() -> None:
    driven = Driven()
    for version, wanted in ((2, "RAISED"), (4, "RETRACTED"), (6, "RAISED"), (8, "RETRACTED")):
        driven.told(notice(wanted=wanted, version=version))
        said(driven)
        driven.now += 1000
    driven.kill()
    driven.told(notice("s2"))
    begun = driven.begin()

    assert begun is not None
    assert driven.outbox.reached(begun[0], NOW - 1) == 2
    assert driven.outbox.reached(begun[0], NOW) == 1, "the window slides"


def test_the_first_value_of_a_field_is_remembered_and_each_change_is_told_once() -> None:
    driven = Driven(endpoint(changes=("stage",)))
    driven.told(change("intent", 1))
    assert said(driven) == []
    driven.told(change("purchase", 2), change("purchase", 3))
    assert said(driven) == ["purchase"]
    driven.told(change("service", 4), change("purchase", 5))
    assert said(driven) == [], "back to what the endpoint knows"
    driven.kill()
    driven.told(change("purchase", 5), change("service", 6))
    assert said(driven) == ["service"]


def test_a_value_that_is_not_asked_for_is_the_one_that_the_next_change_comes_from() -> None:
    driven = Driven(endpoint(changes=("stage",)))
    driven.told(change("purchase", 1))
    driven.take(change("service", 2), wanted=False)
    driven.told(change("purchase", 3))

    assert said(driven) == ["purchase"]


def test_values_of_a_person_who_is_gone_are_forgotten() -> None:
    driven = Driven(endpoint(changes=("stage",)))
    driven.told(change("purchase", 1), notice("s1"))
    said(driven)
    driven.outbox.gone("default", "p1", 4, driven.now)
    driven.write()

    assert [key.subject for key in driven.stored] == ["s1"]


def test_messages_of_an_endpoint_that_is_configured_no_more_wait() -> None:
    driven = Driven(endpoint("campaigns"), endpoint("crm"))
    driven.told(notice())
    driven.endpoints = {"crm": driven.endpoints["crm"]}
    driven.kill()
    assert driven.deliver(name="crm") is not None
    assert len(driven.outbox) == 2

    driven.endpoints = {"campaigns": endpoint()}
    driven.kill()
    assert said(driven) == ["RAISED"]


def test_a_message_that_is_asked_for_again_is_tried_only_once_that_is_written() -> None:
    """Else a crash after the attempt would leave it dead, and its retraction would not be told."""
    driven = Driven()
    driven.told(notice(version=2))
    attempt = driven.deliver(REFUSED)
    assert attempt is not None
    assert driven.outbox.revive(replay_of(attempt), driven.now)
    assert driven.begin() is None

    driven.write()
    assert driven.begin() is not None
    driven.kill()
    driven.told(notice(wanted="RETRACTED", version=4))
    assert said(driven) == ["RETRACTED"]


def test_a_value_of_somebody_who_is_gone_is_told_no_more_and_the_next_first_one_is_remembered() -> None:
    driven = Driven(endpoint(changes=("stage",)))
    driven.told(change("intent", 2), change("purchase", 3))
    driven.outbox.gone("default", "p1", 4, driven.now)
    driven.write()
    assert said(driven) == []
    assert driven.outcomes()[-1] == ("purchase", "SUPERSEDED")
    assert driven.stored == {}

    driven.told(change("intent", 6))
    assert said(driven) == []
    driven.told(change("churned", 7))
    assert said(driven) == ["churned"]


def test_an_end_that_is_read_again_forgets_nothing_newer() -> None:
    driven = Driven(endpoint(changes=("stage",)))
    driven.told(change("intent", 6))
    driven.outbox.gone("default", "p1", 4, driven.now)
    driven.told(change("purchase", 7))
    assert said(driven) == ["purchase"]


def test_an_end_during_an_attempt_ends_what_is_asked_for() -> None:
    driven = Driven(endpoint(changes=("stage",)))
    driven.told(change("intent", 2), change("purchase", 3))
    begun = driven.begin()
    assert begun is not None
    driven.outbox.gone("default", "p1", 4, driven.now)
    driven.finish(begun, LOST)
    driven.now += DAY_MS
    assert said(driven) == []
    assert driven.stored == {}
    assert len(driven.outbox) == 0


def replay_of(attempt: Attempt) -> WebhookRequest:
    return {
        "tenant": "default", "profile_id": "p1", "endpoint": "campaigns", "subject": "s1",
        "webhook_id": attempt.webhook_id, "requested_at": NOW,
    }  # fmt: skip
