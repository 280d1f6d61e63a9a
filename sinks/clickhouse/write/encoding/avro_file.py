"""Avro object container files (Avro 1.12, "Object Container Files") around records that are encoded already.

An item is the concatenation of its fields, so a record's value is copied untouched. Each item ends with the same random
bytes, which nobody outside this process can know. The statement (avro_statement.py) finds them in their place only if
ClickHouse read exactly the value's own bytes.
"""

import json
import os
from collections.abc import Iterable
from itertools import chain
from struct import Struct
from typing import Final, NamedTuple

from schemas.encoding.codec import HEADER_BYTES, long_bytes, string_bytes
from schemas.records import AvroSchema

#: Fields of an item around those of its record.
PLACE, HEAD, END = "kafka_place", "kafka_head", "kafka_end"
#: What stands in PLACE, little-endian without gaps: offset, partition, checksum.
_PLACE: Final = Struct("<QiQ")
PLACE_BYTES: Final = _PLACE.size

END_BYTES: Final = os.urandom(8)
_SYNC: Final = os.urandom(16)


class Item(NamedTuple):
    """An Avro single object, and the Kafka record that it comes from."""

    offset: int
    partition: int
    checksum: int  #: of a touchpoint (schemas/touchpoint/events.py), else 0
    value: bytes


class Container:
    """Files of records of one schema: the fields of an item are PLACE, HEAD, those of the record, END."""

    def __init__(self, schema: AvroSchema) -> None:
        item = {
            "type": "record", "name": "Item", "namespace": "touchline.wire",
            "fields": [
                _fixed(PLACE, PLACE_BYTES),
                _fixed(HEAD, HEADER_BYTES),
                *({"name": field["name"], "type": field["type"]} for field in schema["fields"]),
                _fixed(END, len(END_BYTES)),
            ],
        }  # fmt: skip
        entries = {"avro.schema": json.dumps(item), "avro.codec": "null"}
        pairs = (string_bytes(key) + string_bytes(value) for key, value in entries.items())
        self._header = b"".join((b"Obj\x01", long_bytes(len(entries)), *pairs, long_bytes(0), _SYNC))

    def file(self, items: Iterable[Item]) -> bytes:
        """A file with one block."""
        pieces = [
            (_PLACE.pack(offset, partition, checksum), value, END_BYTES)
            for offset, partition, checksum, value in items
        ]
        block = b"".join(chain.from_iterable(pieces))
        return b"".join((self._header, long_bytes(len(pieces)), long_bytes(len(block)), block, _SYNC))


def _fixed(name: str, size: int) -> AvroSchema:
    return {"name": name, "type": {"type": "fixed", "name": name, "size": size}}
