from typing import Any

import pytest

from deploy.repair.dead_letters.fix import Fix, parse_fix
from deploy.repair.dead_letters.letters import Letter, Wanted, read_letter, summarise
from deploy.repair.dead_letters.replaying import Outgoing, Replay
from schemas import headers
from schemas.dead_letters import NOT_ENCLOSED
from schemas.encoding.codec import decode
from schemas.encoding.record_types import TOUCHPOINT
from schemas.records import DeadLetter, Header
from schemas.settings import Settings
from tests.support.touchpoints import START, touchpoint

SETTINGS = Settings(topic_prefix="test.", pseudonym_key="0123456789abcdef" * 2)
FROM_7 = headers.replayed_from("test.touchpoints/3/7", SETTINGS.pseudonym_secret())
HOUR = 3_600_000
REJECTED_AT = START + HOUR


def letter(number: int = 0, **fields: Any) -> Letter:
    body = DeadLetter(
        **{
            "reason": "INVALID", "error": "wrong", "component": "stitch", "component_version": "1",
            "topic": "test.touchpoints", "partition": 3, "offset": number, "recorded_at": 5, "key": b"k",
            "value": b"bytes", "headers": [], **fields,
        }
    )  # fmt: skip
    return Letter(REJECTED_AT + number, 0, number, body)


def replay(
    *letters: Letter, fix: Fix | None = None, original: bytes | None = None
) -> tuple[Replay, list[Outgoing]]:
    run = Replay(SETTINGS, fix, lambda _: original)
    return run, list(run.outgoing(letters))


def test_a_letter_goes_back_as_it_was_with_a_header_that_says_from_where() -> None:
    run, (sent,) = replay(
        letter(7, headers=[Header(name="trace", value=b"1"), Header(name="empty", value=None)])
    )

    assert sent == Outgoing(
        "test.touchpoints", 3, b"k", b"bytes",
        [("trace", b"1"), ("empty", None), (headers.REPLAYED, FROM_7)],
    )  # fmt: skip
    assert (run.done.sent, run.done.fails_again) == (1, 1)


def test_a_record_with_several_letters_goes_back_once() -> None:
    again = letter(9, headers=[Header(name=headers.REPLAYED, value=FROM_7)])
    run, sent = replay(letter(7), letter(7, component="loader"), again)

    assert len(sent) == 1
    assert run.done.skipped == {"the same record stands in another letter": 2}


def test_a_record_replayed_again_keeps_the_place_of_its_first_failure() -> None:
    _, (sent,) = replay(letter(9, headers=[Header(name=headers.REPLAYED, value=FROM_7)]))

    assert sent.headers == [(headers.REPLAYED, FROM_7)]


@pytest.mark.parametrize(
    "forged",
    [b"test.touchpoints/3/7", b"test.touchpoints/3/7#" + b"0" * 32, FROM_7.replace(b"3/7", b"3/8"), b"#"],
)
def test_a_source_that_claims_the_place_of_another_s_record_does_not_keep_it_from_being_replayed(
    forged,
) -> None:
    mine = letter(9, headers=[Header(name=headers.REPLAYED, value=forged)])

    _, sent = replay(mine, letter(7), letter(8))

    assert [dict(one.headers)[headers.REPLAYED].partition(b"#")[0] for one in sent] == [
        b"test.touchpoints/3/9",
        b"test.touchpoints/3/7",
        b"test.touchpoints/3/8",
    ]


def test_without_a_key_no_header_is_believed() -> None:
    place = headers.replayed_from("test.touchpoints/3/7", b"")
    assert headers.believed_place(place, b"") is None


def test_what_may_not_or_cannot_go_back_is_skipped_with_its_reason() -> None:
    unreadable = read_letter("test.dead-letters", 0, 1, 2, None, b"junk")
    run, sent = replay(
        unreadable, letter(1, topic="test.journey-states"), letter(2, topic="other"),
        letter(3, topic="test.dead-letters"),
    )  # fmt: skip

    assert sent == []
    assert sorted(run.done.skipped.values()) == [1, 1, 2]
    assert any("newest record of each key" in why for why in run.done.skipped)


def test_an_original_too_large_for_its_letter_is_read_where_it_stands() -> None:
    large = letter(1, value=None, error=f"too many bytes ({NOT_ENCLOSED}: its bytes are there)")

    assert replay(large, original=b"found")[1][0].value == b"found"
    assert replay(large)[0].done.skipped == {
        "the letter is without its bytes, and its topic has let them go": 1
    }


def test_a_fix_goes_by_the_reception_that_stitch_went_by_not_by_what_the_source_states() -> None:
    in_2099 = START + 73 * 365 * 24 * HOUR
    lying = TOUCHPOINT.encode(touchpoint(occurred_at=in_2099, received_at=in_2099))
    run, _ = replay(letter(value=lying))
    assert run.done.fails_again == 1

    _, (sent,) = replay(letter(value=lying), fix=parse_fix('[clamp]\nlatest = "received_at"', "fix.toml"))
    mended = decode(sent.value)[1]
    assert (mended["occurred_at"], mended["received_at"]) == (REJECTED_AT, REJECTED_AT)


def test_a_fix_mends_touchpoints_and_leaves_the_rest() -> None:
    broken = TOUCHPOINT.encode(touchpoint(amount_minor=5))
    fix = parse_fix('[set]\ncurrency = "EUR"', "fix.toml")
    run, (sent,) = replay(
        letter(1, value=broken, headers=[Header(name=headers.ROUTED, value=b"1")]),
        letter(2, topic="test.journey-inputs"), letter(3),
        letter(4, value=TOUCHPOINT.encode(touchpoint(sentiment=5.0))), fix=fix,
    )  # fmt: skip

    assert decode(sent.value)[1]["currency"] == "EUR"
    assert [name for name, _ in sent.headers] == [headers.REPLAYED]
    assert (run.done.sent, run.done.fixed) == (1, 1)
    assert run.done.skipped == {
        "a fix can mend touchpoints only": 1,
        "the fix does not mend it: UNDECODABLE": 1,
        "the fix does not mend it: INVALID": 1,
    }


def test_letters_are_counted_by_kind_and_the_newest_come_first() -> None:
    found = [letter(1), letter(3), letter(2, reason="TOO_LARGE")]

    summary = summarise(iter(found), limit=2)

    assert [one.body["offset"] for one in summary.newest] == [3, 2]
    assert summary.counts == {
        ("INVALID", "stitch", "test.touchpoints"): 2,
        ("TOO_LARGE", "stitch", "test.touchpoints"): 1,
    }


def test_letters_are_asked_for_by_time_reason_component_and_topic() -> None:
    one = letter(1)

    assert Wanted(
        since=REJECTED_AT + 1, reason="INVALID", component="stitch", topic="test.touchpoints"
    ).matches(one)
    assert not Wanted(since=REJECTED_AT + 2).matches(one)
    assert not Wanted(reason="TOO_LARGE").matches(one)
    assert not Wanted(topic="touchpoints").matches(one)
