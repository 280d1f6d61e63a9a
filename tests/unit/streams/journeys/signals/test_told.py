"""Subscribers are told once of what comes to hold and once of what holds no more; doubt repeats, it never conceals."""

from collections.abc import Sequence

from schemas.encoding.record_types import JOURNEY_SIGNAL
from schemas.records import Touchpoint
from streams.journeys.changelog_keys import parse
from streams.journeys.signals.published import Publication
from streams.journeys.signals.told import Told
from streams.journeys.signals.write_ahead import SignalWriteAhead
from streams.journeys.state.signals import Signal
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.timeline import Timeline
from tests.support.journeys import CATALOGUE, HOUR, RULES, START, touchpoint
from tests.support.journeys_of import give

KEY = b"default/p1"
MEANINGS = 7
CART = touchpoint("add_to_cart", session_id="s1")
ORDER = touchpoint("purchase", 10, session_id="s1")
NEXT_DAY = START + 24 * HOUR


class Profile:
    """A profile's timeline with what its subscribers have been told."""

    def __init__(self, *touchpoints: Touchpoint) -> None:
        self.timeline = Timeline("default", "p1")
        self.told = Told(signals={})
        self.write_ahead = SignalWriteAhead()
        self.applied = 99
        self.take(*touchpoints)

    def take(self, *touchpoints: Touchpoint) -> None:
        for item in touchpoints:
            give(self.timeline, item)
        self.timeline.version += 1

    def publish(self, now: int, effects: Effects | None = None, *, by_deadline: bool = False) -> list[str]:
        """Kind, status and reason of what subscribers hear of carts."""
        fold = self.timeline.fold(CATALOGUE, RULES)
        published = self.told.publish(
            KEY, self.timeline, fold, effects or Effects(), self.write_ahead, now, MEANINGS, self.applied,
            by_deadline=by_deadline,
        )  # fmt: skip
        return about_carts([JOURNEY_SIGNAL.decode(value) for value in published])  # type: ignore[misc]

    def holding(self, now: int) -> dict[str, Signal]:
        return {signal.subject_id: signal for signal in self.timeline.fold(CATALOGUE, RULES).signals(now)}


def about_carts(records: Sequence[dict[str, object]]) -> list[str]:
    about = [record for record in records if record["kind"] == "abandoned_cart"]
    return [f"{record['status']} {record['reason'] or ''}".strip() for record in about]


def test_what_comes_to_hold_is_told_once() -> None:
    profile = Profile(CART)
    assert profile.publish(START) == []
    assert profile.publish(NEXT_DAY, by_deadline=True) == ["RAISED"]
    assert profile.publish(NEXT_DAY) == []


def test_what_holds_no_more_is_retracted_once() -> None:
    profile = Profile(CART)
    profile.publish(NEXT_DAY)
    profile.take(ORDER)
    assert profile.publish(NEXT_DAY) == ["RETRACTED CONTRADICTED"]
    assert profile.publish(NEXT_DAY) == []


def test_a_signal_whose_touchpoint_left_names_where_it_went() -> None:
    for owner, said in (("p2", "RETRACTED MOVED"), (None, "RETRACTED ERASED")):
        profile = Profile(CART)
        profile.publish(NEXT_DAY)
        (entry,) = profile.timeline.held()
        profile.timeline.remove(entry, Effects())
        assert profile.publish(0, Effects(gone={entry.event: owner})) == [said]
        assert profile.told.last is None


def test_time_never_goes_back_for_subscribers() -> None:
    profile = Profile(CART)
    assert profile.publish(NEXT_DAY) == ["RAISED"]
    assert profile.publish(START) == [], "events that lag behind the clock reopen no deadline"
    assert profile.told.last is not None
    assert profile.told.last.now == NEXT_DAY


def test_who_is_not_confirmed_hears_all_that_holds_once_more() -> None:
    profile = Profile(CART)
    profile.publish(NEXT_DAY)
    profile.told.unconfirmed = True
    assert profile.publish(NEXT_DAY) == ["RAISED"]
    assert profile.publish(NEXT_DAY) == []


def test_after_a_restart_the_last_publication_tells_what_was_heard() -> None:
    profile = Profile(CART)
    last = Publication(version=1, now=START, due=NEXT_DAY, meanings=MEANINGS)
    profile.told = Told(last=last)
    profile.told.recall(profile.timeline.fold(CATALOGUE, RULES), NEXT_DAY, MEANINGS)
    assert (profile.told.signals, profile.told.unconfirmed) == (profile.holding(START), False)
    assert profile.publish(NEXT_DAY) == ["RAISED"]


def test_after_a_change_of_the_rules_nobody_knows_what_was_heard() -> None:
    profile = Profile(CART)
    for last in (None, Publication(version=1, now=START, due=NEXT_DAY, meanings=MEANINGS + 1)):
        profile.told = Told(last=last)
        profile.told.recall(profile.timeline.fold(CATALOGUE, RULES), NEXT_DAY, MEANINGS)
        assert (profile.told.signals, profile.told.unconfirmed) == (profile.holding(NEXT_DAY), True)
        assert profile.publish(NEXT_DAY) == ["RAISED"]


def cut_off() -> tuple[int, bytes | None]:
    """The version and the write-ahead record of a publication that raised the signal before a crash."""
    before = Profile(CART)
    assert before.publish(NEXT_DAY) == ["RAISED"]
    ((key, value, _),) = before.write_ahead.ahead()
    return int(parse(key)[2]), value


def test_what_was_perhaps_raised_is_retracted_unless_it_holds() -> None:
    profile = Profile(CART)
    profile.take(ORDER)
    profile.write_ahead.restore(KEY, *cut_off())
    assert profile.publish(NEXT_DAY) == ["RETRACTED CONTRADICTED"]
    assert profile.publish(NEXT_DAY) == []


def test_a_deadline_decides_nothing_on_inputs_that_are_still_to_be_repeated() -> None:
    profile = Profile(CART)
    profile.take(ORDER)
    profile.write_ahead.restore(KEY, *cut_off())
    profile.applied = 0
    assert profile.publish(NEXT_DAY, by_deadline=True) == []
    profile.take()
    assert profile.publish(NEXT_DAY) == ["RETRACTED CONTRADICTED"]
