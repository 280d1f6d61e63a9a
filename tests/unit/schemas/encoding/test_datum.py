"""Both Avro libraries mean the same: an installation without cavro reads what one with it wrote, and the reverse."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from fastavro import parse_schema
from fastavro.utils import generate_many

from schemas.encoding import datum
from schemas.encoding.registry import current
from tests.support.examples import example

pytest.importorskip("cavro")

NAMES = sorted(current())
CODECS = ("cavro", "fastavro")


@pytest.fixture
def codec(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], tuple[datum.Read, datum.Write]]:
    """Reader and writer of a record, by one of the libraries."""

    def make(library: str, name: str) -> tuple[datum.Read, datum.Write]:
        with monkeypatch.context() as patch:
            if library == "fastavro":
                patch.setattr(datum, "cavro", None)
            return datum.reader(current()[name]), datum.writer(current()[name])

    return make


def records(name: str) -> list[dict[str, Any]]:
    random.seed(name)
    drawn = generate_many(parse_schema(datum.physical(current()[name]), named_schemas={}), 20)
    return [example(name), *drawn]


@pytest.mark.parametrize("name", NAMES)
def test_both_write_the_same_bytes_and_read_the_same_record(name: str, codec: Any) -> None:
    (read, write), (other_read, other_write) = (codec(library, name) for library in CODECS)
    for record in records(name):
        written = write(record)
        assert written == other_write(record)
        assert read(written) == other_read(written)


@pytest.mark.parametrize("library", CODECS)
@pytest.mark.parametrize("name", NAMES)
def test_a_datum_with_bytes_left_over_or_missing_is_none(name: str, library: str, codec: Any) -> None:
    read, write = codec(library, name)
    written = write(example(name))
    for broken in (written + b"\x00", written[:-1]):
        with pytest.raises(Exception):  # noqa: B017,PT011 (a dozen types, as the docstring says)
            read(broken)


@pytest.mark.parametrize("library", CODECS)
@pytest.mark.parametrize("name", NAMES)
def test_a_record_that_lacks_a_field_is_not_written(name: str, library: str, codec: Any) -> None:
    _, write = codec(library, name)
    record = example(name)
    required = next(field["name"] for field in current()[name]["fields"] if "default" not in field)
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError, OverflowError)):
        write({key: value for key, value in record.items() if key != required})
