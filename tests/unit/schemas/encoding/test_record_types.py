"""A record type recognises its records whichever released version wrote them."""

import pytest

from schemas.encoding import record_types
from schemas.encoding.record_types import RecordType
from schemas.encoding.registry import NAMES
from tests.support.examples import example
from tests.support.versions import as_version_2

TYPES = [found for found in vars(record_types).values() if isinstance(found, RecordType)]


def test_every_record_but_the_parts_of_others_has_a_type() -> None:
    assert {record.name for record in TYPES} == set(NAMES) - {"Identifier"}


@pytest.mark.parametrize("record", TYPES, ids=lambda record: record.name)
def test_a_type_recognises_and_reads_the_current_and_another_version(
    record: RecordType, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = example(record.name)
    for data in (record.encode(plain), as_version_2(record.name, plain, monkeypatch)):
        assert [other.name for other in TYPES if other.recognises(data)] == [record.name]
        assert record.decode(data) == record.decode_trusted(data) == plain


@pytest.mark.parametrize("data", [b"", b"\xc3", b"\xc3\x01", b"\xc3\x01" + bytes(8), b"{}" * 9])
def test_no_type_recognises_other_bytes(data: bytes) -> None:
    assert not any(record.recognises(data) for record in TYPES)
