"""Touchpoint types, stages, expectations and counts of the user's own, from TOML alone."""

from typing import Any

import pytest

from schemas.catalogue import BUILT_IN, Catalogue
from schemas.errors import SettingsError
from streams.journeys.rules.meaning import Meanings
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.fold import Fold
from tests.support.journeys import CATALOGUE, HOUR, RULES, START, fold, in_order, touchpoint

LABS = """
stages = ["awareness", "consideration", "intent", "purchase", "service", "loyalty", "leaving", "diagnosis"]
[types]
sample_taken = { component = "service", stage = "diagnosis" }
result_sent  = { component = "service", direction = "outbound" }
"""
RULES_OF_LABS = """
[expectations.result]
opened_by = ["sample_taken"]
met_by = ["result_sent"]
within_hours = 48
"""
RAGE = """
[rules.rage]
touchpoints = ["error_page", "payment_error"]
at_least = 3
within_hours = 1
"""


def kinds(folded: Fold, hour: float) -> list[str]:
    return [signal.kind for signal in folded.signals(START + round(hour * HOUR))]


def test_a_type_a_stage_and_an_expectation_of_ones_own_need_no_code() -> None:
    catalogue = Catalogue.parse(LABS, "mine.toml", Catalogue.parse(BUILT_IN.read_text(), "built in"))
    rules = JourneyRules.parse(RULES_OF_LABS, "mine.toml")
    waiting, met = Fold(catalogue, rules), Fold(catalogue, rules)
    sample, result = touchpoint("sample_taken"), touchpoint("result_sent", 60)
    for folded, items in ((waiting, [sample]), (met, [sample, result])):
        for item in items:
            folded.advance(item, item["identifiers"][0])

    state = waiting.state("default", "p1", 1)
    assert (state["stage"], state["expectations"][0]["kind"]) == ("diagnosis", "result")
    assert waiting.next_deadline() == START + 48 * HOUR
    assert "result_missed" not in kinds(waiting, 48)
    assert "result_missed" in kinds(waiting, 48.1)
    assert met.state("default", "p1", 1)["expectations"][0]["status"] == "MET"
    assert "result_missed" not in kinds(met, 99)


def test_a_count_of_ones_own_is_raised_once_a_window() -> None:
    rules = JourneyRules.parse(RAGE, "mine.toml")
    errors = [touchpoint(("error_page", "payment_error")[n % 2], n * 10) for n in range(6)]
    (signal,) = [s for s in fold(*errors, rules=rules).signals(START) if s.kind == "rage"]
    assert (signal.occurred_at, len(signal.event_ids)) == (START + HOUR // 3, 3)
    assert signal.rule == "3 of error_page, payment_error within 1 h"
    apart = [touchpoint("error_page", n * 60) for n in range(9)]
    assert "rage" not in kinds(fold(*apart, rules=rules), 99)


def test_a_quote_that_nobody_answers_is_a_signal_after_14_days() -> None:
    sent, answered = touchpoint("quote_sent"), touchpoint("quote_declined", 60)
    assert "quote_unanswered" not in kinds(fold(sent), 14 * 24)
    assert "quote_unanswered" in kinds(fold(sent), 14 * 24 + 1)
    assert "quote_unanswered" not in kinds(fold(sent, answered), 14 * 24 + 1)


def test_a_built_in_expectation_takes_another_deadline() -> None:
    rules = JourneyRules.parse("[expectations.cart]\nwithin_hours = 5", "mine.toml")
    cart, order = touchpoint("add_to_cart"), touchpoint("purchase", 4 * 60)
    assert "abandoned_cart" not in kinds(fold(cart, rules=rules), 5)
    assert "abandoned_cart" in kinds(fold(cart, rules=rules), 6)
    assert "abandoned_cart" not in kinds(fold(cart, order, rules=rules), 6)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[expectations.x]\nopened_by = ['a']\nwithin_hours = 1", "line 1: expectations.x has no met_by"),
        (
            "[expectations.x]\nopened_by = ['a']\nmet_by = ['b']",
            "expectations.x has no deadline: give within_hours",
        ),
        (
            "[expectations.cart]\nuntil = 'session_end'\nwithin_hours = 1",
            "expectations.cart has both until and within_hours: remove one",
        ),
        (
            "[expectations.x]\nopened_by = ['a']\nmet_by = ['b']\nwithin_hours = 1\nmet_in = 'same_session'",
            "line 1: expectations.x is due after hours, not in a session, and nothing could meet it: remove met_in",
        ),
        ("[expectations.x]\nopened_by = 'a'", "line 2: expectations.x.opened_by is 'a': it must be a list"),
        (
            "[expectations.x]\nwithin = 1",
            "line 2: expectations.x.within is unknown: in [expectations.NAME] use",
        ),
        ("[expectations.case]\nwithin_hours = 1", "a case is due by signals.issue_overdue.hours"),
        ("[rules.x]\nat_least = 3", "rules.x has no touchpoints: add it"),
        ("[rules.x]\nat_least = 0", "line 2: rules.x.at_least is 0: it must be a whole number from 1 to 100"),
        ("[rules.X]\nat_least = 1", "a rule's name is made of a-z, 0-9 and _"),
        (
            "[rules.detractor]\ntouchpoints = ['home']\nat_least = 3\nwithin_hours = 1",
            "rules.detractor: there is a signal of that name already",
        ),
        ("[horizon]\nmost_touchpoints = 100", "horizon.most_touchpoints is less than horizon.touchpoints"),
    ],
)
def test_a_wrong_rule_of_ones_own_is_named_with_its_fix(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as error:
        JourneyRules.parse(text, "mine.toml")
    assert sentence in str(error.value)


def test_a_rule_that_names_an_unknown_type_is_refused_at_the_start() -> None:
    rules = JourneyRules.parse(RULES_OF_LABS, "mine.toml")
    with pytest.raises(SettingsError, match=r"expectations\.result in journey\.toml names 'sample_taken'"):
        Meanings(CATALOGUE, rules)


def test_the_built_in_rules_name_only_what_the_built_in_catalogue_knows() -> None:
    Meanings(CATALOGUE, RULES)


def orders_by(rules: JourneyRules, *items: Any) -> list[str]:
    folded = Fold(CATALOGUE, rules)
    for item in in_order(items):
        folded.advance(item, item["identifiers"][0])
    return [e["status"] for e in folded.state("default", "p1", 1)["expectations"]]


def test_an_order_of_any_session_until_the_deadline_meets_the_cart_unless_a_rule_says_otherwise() -> None:
    cart = touchpoint("add_to_cart", 0, session_id="web-1")
    phone_order = touchpoint("purchase", 20, session_id="call-1", source="desk")
    too_late = phone_order | {"occurred_at": START + HOUR}
    same = JourneyRules.parse("[expectations.cart]\nmet_in = 'same_session'", "mine.toml")
    end = touchpoint("email_sent", 99)
    assert orders_by(RULES, cart, phone_order, end) == ["MET"]
    assert orders_by(same, cart, phone_order, end) == ["MISSED"]
    assert orders_by(RULES, cart, too_late, end) == ["MISSED"]
