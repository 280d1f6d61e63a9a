"""The W3C header `traceparent` on HTTP requests and Kafka records, and the ids of spans.

A span's id is a function of its trace, its component and the record, so that a fetch that is repeated after a crash
tells of the same span. Anybody may write the header on a topic of sources: it decides nothing but which spans are told.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

#: The name of the header, on requests and on records.
HEADER: Final = "traceparent"
_FORM: Final = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_SAMPLED: Final = 1


class Parent(NamedTuple):
    """The trace that a record or request belongs to, and the span that sent it."""

    trace_id: int
    span_id: int

    @property
    def header(self) -> bytes:
        """The value of `traceparent` for whoever comes next."""
        return b"00-%032x-%016x-01" % (self.trace_id, self.span_id)


def sampled_parent(value: bytes | None) -> Parent | None:
    """What a value of `traceparent` says; None if there is none, it is malformed, or its trace is not sampled."""
    found = _FORM.fullmatch(value) if value else None
    if found is None or found[0].startswith(b"ff") or not int(found[3], 16) & _SAMPLED:
        return None
    if found[0].startswith(b"00") and len(found[0]) != 55:
        return None
    parent = Parent(int(found[1], 16), int(found[2], 16))
    return parent if parent.trace_id and parent.span_id else None


def parent_of(headers: Sequence[tuple[str, bytes]] | None) -> Parent | None:
    """The sampled parent that the headers of a Kafka record name, if they do."""
    for name, value in headers or ():
        if name == HEADER:
            return sampled_parent(value)
    return None


def span_id(parent: Parent, component: str, topic: str, partition: int, offset: int) -> int:
    """The id of the span in which a component works on a record; never 0."""
    told = f"{parent.trace_id:x}/{parent.span_id:x}/{component}/{topic}/{partition}/{offset}"
    return int.from_bytes(blake2b(told.encode(), digest_size=8).digest(), "big") or 1
