"""Bodies: whatever the bytes are, they become JSON within limits or a refusal."""

import gzip
import json
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.http.problems import ProblemError
from streams.collect.inflate import inflate, loads, parse


@given(st.binary(max_size=5000))
def test_gzip_and_deflate_are_undone(body: bytes) -> None:
    assert inflate(gzip.compress(body), "gzip", 5000) == body
    assert inflate(zlib.compress(body), "deflate", 5000) == body
    assert inflate(body, "", 1) == body


def test_a_gzip_body_of_several_members_is_read_whole() -> None:
    assert inflate(gzip.compress(b"ab") + gzip.compress(b"cd"), "gzip", 4) == b"abcd"


@pytest.mark.parametrize("members", [1, 3])
def test_a_bomb_is_refused_before_it_is_inflated(members: int) -> None:
    bomb = gzip.compress(b"0" * 10_000_000) * members
    with pytest.raises(ProblemError) as refused:
        inflate(bomb, "gzip", 1_000_000)
    assert (refused.value.status, refused.value.code) == (413, "too_large")


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"not gzip", "gzip", 400),
        (gzip.compress(b"x" * 999, mtime=0)[:-9], "gzip", 400),
        (b"{}", "br", 415),
        (b"{}", "zstd", 415),
        (gzip.compress(b"x", mtime=0) + b"trailing", "gzip", 400),
    ],
)
def test_what_cannot_be_inflated_is_refused_with_the_right_status(
    body: bytes, encoding: str, status: int
) -> None:
    with pytest.raises(ProblemError) as refused:
        inflate(body, encoding, 1_000_000)
    assert refused.value.status == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"NaN",
        b"[Infinity]",
        b"[" * 100_000,
        b"1" * 10_000,
        b'{"a":' * 50_000,
        b"{} {}",
    ],
)
def test_what_is_not_json_is_a_refusal(body: bytes) -> None:
    with pytest.raises(ProblemError) as refused:
        parse(body)
    assert (refused.value.status, refused.value.code) == (400, "not_json")


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_value_error(body: bytes) -> None:
    with suppress(ValueError):
        json.dumps(loads(body))


def test_a_byte_order_mark_is_no_part_of_the_document() -> None:
    assert parse(b"\xef\xbb\xbf{}") == {}
