from types import SimpleNamespace

from schemas.dead_letters import ENCLOSED_BYTES
from schemas.encoding.record_types import DEAD_LETTER
from schemas.errors import ContractError, Reason
from streams.runtime.rejection import dead_letter

ERROR = ContractError(Reason.TOO_LARGE, "it is too large")


def record(size: int) -> SimpleNamespace:
    return SimpleNamespace(
        topic="touchpoints",
        partition=1,
        offset=2,
        timestamp=3,
        key=b"k",
        value=b"x" * size,
        headers=[("h", b"v")],
    )


def test_an_original_is_enclosed_with_key_and_headers() -> None:
    letter = DEAD_LETTER.decode(dead_letter(record(100), ERROR, "stitch"))

    assert (letter["key"], letter["value"]) == (b"k", b"x" * 100)
    assert letter["headers"] == [{"name": "h", "value": b"v"}]


def test_an_original_that_would_not_fit_is_left_where_it_is_so_that_it_cannot_block() -> None:
    letter = DEAD_LETTER.decode(dead_letter(record(ENCLOSED_BYTES + 1), ERROR, "stitch"))

    assert letter["value"] is None
    assert letter["error"] == (
        "it is too large (too large to enclose: its bytes are at touchpoints partition 1 offset 2)"
    )


def test_a_letter_can_be_read_whatever_it_encloses() -> None:
    error = ContractError(Reason.UNDECODABLE, "x" * 100_000)

    DEAD_LETTER.decode(dead_letter(record(ENCLOSED_BYTES - 10), error, "stitch"))
