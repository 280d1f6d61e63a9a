"""The rules of a decoded touchpoint that its Avro schema cannot express."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from schemas.errors import ContractError, Reason
from schemas.keys import NAME_PATTERN
from schemas.records import Identifier, Score, Touchpoint
from schemas.touchpoint.characters import shows_nothing
from schemas.touchpoint.names import identifier_type

MAX_IDENTIFIERS: Final = 32
MAX_IDENTIFIER_CHARACTERS: Final = 200
MAX_ATTRIBUTES: Final = 128  #: also of experiments and of consent purposes
#: In bytes of UTF-8. A journey state contains such texts, so these limits bound its size
#: (tests/unit/streams/journeys/timeline/test_bounds.py).
MAX_CHANNEL_BYTES: Final = 64
MAX_NAME_BYTES: Final = 128  #: source, type, experiments and their variants, consent purposes
MAX_ID_BYTES: Final = 200  #: event_id, account_id, session_id, issue_id, order_id, campaign; attribute names
MAX_VALUE_BYTES: Final = 8192  #: an attribute's value
MAX_FUTURE_MS: Final = 24 * 60 * 60 * 1000  #: how far a source's clock may be ahead of ours

#: Values that are refused because they are probably in seconds, which many sources use: the seconds of a time from 1990
#: on. As milliseconds they would be from 8 January 1970 to the day of today's seconds (in 2026: 21 January).
_SECONDS_FROM: Final = 631_152_000
#: For `received_at` the range extends to the seconds of the year 2100, and down to 0 and below: nothing was received in
#: 1970 or before, so such a number is a field that nobody filled in.
_SECONDS_UNTIL: Final = 4_102_444_800
#: UTC milliseconds of an event that are a field that nobody filled in.
_UNSET_MS: Final = (0, -1)

#: In minor units, with either sign: 100 trillion EUR. What is larger is a broken number, like 2^63 or a hash. The sum
#: of a journey leaves the range of an Avro long only beyond 922 amounts of this size.
MAX_AMOUNT_MINOR: Final = 10**16

#: UTC milliseconds that ClickHouse's DateTime64 holds at every precision: 1900-01-01 to 2262-01-01.
EARLIEST_MS: Final = -2_208_988_800_000
LATEST_MS: Final = 9_214_646_400_000

_REQUIRED: Final = {
    "event_id": MAX_ID_BYTES, "type": MAX_NAME_BYTES, "source": MAX_NAME_BYTES, "channel": MAX_CHANNEL_BYTES,
}  # fmt: skip
_OPTIONAL: Final = ("account_id", "session_id", "issue_id", "order_id", "campaign")
#: An id of so few characters is within its limit in any case: a character has at most four bytes.
_SHORT_ID: Final = MAX_ID_BYTES // 4

#: Survey kind → lowest and highest answer.
SCORE_RANGE: Final = {"NPS": (0, 10), "CSAT": (1, 5), "CES": (1, 7)}


def check(touchpoint: Touchpoint) -> None:
    """Raise ContractError if the touchpoint breaks a rule of the contract.

    Reasons: NO_IDENTIFIER for an empty list, TOO_LARGE beyond a limit above, FUTURE_TIME if it occurred more
    than 24 h after it was received, INVALID for everything else. Blank identifiers and references (account_id, ...)
    are no fault: preparing the touchpoint leaves them out. Runs for every event: about a microsecond.
    """
    identifiers = touchpoint["identifiers"]
    if not identifiers:
        raise ContractError(Reason.NO_IDENTIFIER, "the touchpoint has no identifier")
    if len(identifiers) > MAX_IDENTIFIERS:
        raise _too_large(f"{len(identifiers)} identifiers, the limit is {MAX_IDENTIFIERS}")
    for identifier in identifiers:
        value = identifier["value"]
        if len(value) > MAX_IDENTIFIER_CHARACTERS or not is_type_name(identifier["type"]):
            raise _identifier_error(identifier)
    check_content(touchpoint)


def check_content(touchpoint: Touchpoint) -> None:
    """The rules of everything but the identifiers. Raises ContractError as `check` does."""
    if not _is_name(touchpoint["tenant"]):
        raise _invalid(f"tenant is {touchpoint['tenant'][:80]!r}: use 1 to 64 of A-Z a-z 0-9 _ . -")
    event_id, name = touchpoint["event_id"], touchpoint["type"]
    source, channel = touchpoint["source"], touchpoint["channel"]
    if not (event_id and name and source and channel):
        empty = next(name for name in ("event_id", "type", "source", "channel") if not touchpoint[name])
        raise _invalid(f"{empty} is empty")
    texts = event_id + name + source + channel
    if " " in texts or not (texts.isascii() and texts.isprintable()):
        _check_visible(touchpoint)
    if len(texts) > MAX_CHANNEL_BYTES or not texts.isascii():  # else none of them is beyond its limit
        _check_lengths(touchpoint, _REQUIRED)
    occurred_at, received_at = touchpoint["occurred_at"], touchpoint["received_at"]
    if not (EARLIEST_MS <= occurred_at <= LATEST_MS and EARLIEST_MS <= received_at <= LATEST_MS):
        raise _beyond(occurred_at, received_at)
    if _SECONDS_FROM <= received_at <= _SECONDS_UNTIL or _SECONDS_FROM <= occurred_at <= _SECONDS_UNTIL:
        _check_unit(occurred_at, received_at)
    if occurred_at in _UNSET_MS:
        raise _invalid(
            f"occurred_at is {occurred_at}, as a field that nobody filled in: write when it happened"
        )
    if received_at < _SECONDS_FROM:
        raise _invalid(
            f"received_at {received_at} is before 1970-01-08, when nothing was received:"
            " leave it out, or write milliseconds or ISO 8601"
        )
    if occurred_at > received_at + MAX_FUTURE_MS:
        hours = (occurred_at - received_at - 1) // 3_600_000
        raise ContractError(Reason.FUTURE_TIME, f"it occurred more than {hours} hours after it was received")
    if (
        len(touchpoint["attributes"]) > MAX_ATTRIBUTES
        or len(touchpoint["experiments"]) > MAX_ATTRIBUTES
        or len(touchpoint["consent"]) > MAX_ATTRIBUTES
    ):
        raise _too_large(f"more than {MAX_ATTRIBUTES} attributes, experiments or consents")
    if touchpoint["attributes"]:
        _check_map("attributes", touchpoint["attributes"], MAX_ID_BYTES, MAX_VALUE_BYTES)
    if touchpoint["experiments"]:
        _check_map("experiments", touchpoint["experiments"], MAX_NAME_BYTES, MAX_NAME_BYTES)
    if touchpoint["consent"]:
        _check_map("consent", touchpoint["consent"], MAX_NAME_BYTES, MAX_NAME_BYTES)
        if any(map(shows_nothing, touchpoint["consent"])):
            raise _invalid("a consent purpose is empty: it has only spaces or characters that show nothing")
    _check_optional(touchpoint)


def capped(touchpoint: Touchpoint, now: int) -> Touchpoint:
    """The touchpoint with `received_at` capped at `now` (UTC ms). Returns the same object if nothing changes.

    Every edge that accepts touchpoints calls this. The guard against future times compares with `received_at`, so a
    source must not be able to set it ahead.
    """
    if touchpoint["received_at"] <= now:
        return touchpoint
    return {**touchpoint, "received_at": now}


def is_type_name(text: str) -> bool:
    """Whether an identifier type may be called so: its canonical form is 1 to 64 of a-z 0-9 _ . characters."""
    return _is_name(text) or _is_name(identifier_type(text))


def _check_visible(touchpoint: Touchpoint) -> None:
    for name in _REQUIRED:
        text = touchpoint[name]  # type: ignore[literal-required]
        if shows_nothing(text):
            raise _invalid(f"{name} is empty: it has only spaces or characters that show nothing")
        if "\0" in text:
            raise _invalid(f"{name} holds a NUL character: take it out")


def _check_unit(occurred_at: int, received_at: int) -> None:
    if _SECONDS_FROM <= received_at <= _SECONDS_UNTIL:
        raise _seconds("received_at", received_at)
    if _SECONDS_FROM <= occurred_at <= (received_at + MAX_FUTURE_MS) // 1000:
        raise _seconds("occurred_at", occurred_at)


def _seconds(name: str, value: int) -> ContractError:
    return _invalid(f"{name} {value} is a time in seconds: write milliseconds, {value * 1000}, or ISO 8601")


def _beyond(occurred_at: int, received_at: int) -> ContractError:
    for name, value in (("occurred_at", occurred_at), ("received_at", received_at)):
        for unit, factor in (("microseconds", 1000), ("nanoseconds", 1_000_000)):
            if 1000 * _SECONDS_FROM <= value // factor <= 1000 * _SECONDS_UNTIL:
                return _invalid(
                    f"{name} {value} is a time in {unit}: write milliseconds, {value // factor}, or ISO 8601"
                )
    return _invalid(f"occurred_at {occurred_at} or received_at {received_at} is not between 1900 and 2262")


def _check_optional(touchpoint: Touchpoint) -> None:
    for name in _OPTIONAL:
        text = touchpoint[name]
        if text is not None and len(text) > _SHORT_ID:
            _check_lengths(touchpoint, {name: MAX_ID_BYTES})
    currency = touchpoint["currency"]
    if currency is not None and not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise _invalid(f"currency is {currency[:80]!r}: use three capitals (ISO 4217), like EUR")
    amount = touchpoint["amount_minor"]
    if amount is not None:
        if currency is None:
            raise _invalid("amount_minor has no currency")
        if not -MAX_AMOUNT_MINOR <= amount <= MAX_AMOUNT_MINOR:
            raise _too_large(f"amount_minor is {amount}, the limit is {MAX_AMOUNT_MINOR} (in minor units)")
    sentiment = touchpoint["sentiment"]
    if sentiment is not None and not -1 <= sentiment <= 1:
        raise _invalid(f"sentiment is {sentiment}: it must be between -1 and 1")
    score = touchpoint["score"]
    if score is not None:
        _check_score(score)


def _check_lengths(touchpoint: Touchpoint, limits: Mapping[str, int]) -> None:
    for name, limit in limits.items():
        size = _bytes_of(touchpoint[name])  # type: ignore[literal-required]
        if size > limit:
            raise _too_large(f"{name} has {size} bytes, the limit is {limit}")


def _check_map(name: str, entries: Mapping[str, str], key_limit: int, value_limit: int) -> None:
    # a character takes up to four bytes: what is short enough in characters need not be encoded
    if 4 * max(map(len, entries)) > key_limit or 4 * max(map(len, entries.values())) > value_limit:
        for key, value in entries.items():
            if _bytes_of(key) > key_limit:
                raise _too_large(f"a name in {name} has {_bytes_of(key)} bytes, the limit is {key_limit}")
            if _bytes_of(value) > value_limit:
                raise _too_large(f"{name} {key!r} has {_bytes_of(value)} bytes, the limit is {value_limit}")


def _bytes_of(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))  # the codec refuses surrogates


def _check_score(score: Score) -> None:
    lowest, highest = SCORE_RANGE[score["kind"]]
    if not lowest <= score["value"] <= highest:
        raise _invalid(
            f"a {score['kind']} score is {score['value']}: it must be between {lowest} and {highest}"
        )


@lru_cache(maxsize=4096)
def _is_name(text: str) -> bool:
    return NAME_PATTERN.fullmatch(text) is not None


def _identifier_error(identifier: Identifier) -> ContractError:
    kind, value = identifier["type"][:80], identifier["value"]
    if len(value) > MAX_IDENTIFIER_CHARACTERS:
        return _too_large(
            f"the identifier {kind!r} has {len(value)} characters, the limit is {MAX_IDENTIFIER_CHARACTERS}"
        )
    return _invalid(f"an identifier type is {kind!r}: use 1 to 64 of A-Z a-z 0-9 _ . -")


def _invalid(message: str) -> ContractError:
    return ContractError(Reason.INVALID, message)


def _too_large(message: str) -> ContractError:
    return ContractError(Reason.TOO_LARGE, message)
