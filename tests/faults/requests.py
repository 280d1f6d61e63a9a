"""How the proxy recognises a request on its way: an insert into a table over HTTP, and a Produce request of Kafka."""

import re
from collections.abc import Callable
from typing import TypeAlias

#: What a client sent at once → the bytes up to the end of the request's head and the bytes of its body, if it begins
#: such a request; else None.
Find: TypeAlias = Callable[[bytes], tuple[int, int] | None]
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
_SPACE = rb"(?:\+|%20)"
#: Length, key of the Produce API, and a version below 256.
_FRAME_BYTES, _PRODUCE = 4, b"\x00\x00\x00"


def insert_into(table: str) -> Find:
    """Recognise a POST whose statement inserts into a table, in any database."""
    pattern = re.compile(rb"INSERT" + _SPACE + rb"INTO" + _SPACE + rb"(?:\w+\.)?" + table.encode() + rb"\b")

    def find(data: bytes) -> tuple[int, int] | None:
        head = data.find(_END_OF_HEAD)
        length = _LENGTH.search(data, 0, max(head, 0))
        if not (data.startswith(b"POST ") and length and pattern.search(data, 0, head)):
            return None
        return head + len(_END_OF_HEAD), int(length[1])

    return find


def produce(data: bytes) -> tuple[int, int] | None:
    """Recognise a Produce request."""
    length = int.from_bytes(data[:_FRAME_BYTES], "big")
    if data[_FRAME_BYTES : _FRAME_BYTES + len(_PRODUCE)] != _PRODUCE or length < len(data) - _FRAME_BYTES:
        return None
    return _FRAME_BYTES, length
