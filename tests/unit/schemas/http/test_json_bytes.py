"""JSON as bytes: the same document by either library."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.http import json_bytes as module
from schemas.http.json_bytes import json_bytes

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(DOCUMENTS)
def test_either_library_writes_a_document_that_reads_the_same(document) -> None:
    assert json.loads(json_bytes(document)) == document
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_fast", None)
        assert json.loads(json_bytes(document)) == document


def test_half_a_surrogate_pair_is_written_as_an_escape() -> None:
    assert json_bytes({"detail": "\ud800"}) == b'{"detail":"\\ud800"}'
