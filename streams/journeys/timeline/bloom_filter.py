"""A Bloom filter of events: a fixed number of bytes that knows every event added to it, and takes few others for known.

(Bloom, "Space/Time Trade-offs in Hash Coding with Allowable Errors", CACM 1970.) Each event sets 4 bits.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

#: Size of a new filter. At 10,000 events it takes one unknown event in 20 for a known one.
FILTER_BYTES: Final = 8192


@dataclass(frozen=True, slots=True)
class BloomFilter:
    """A value: adding gives another filter. Events are event keys (schemas/touchpoint/events.py)."""

    bits: bytes = bytes(FILTER_BYTES)  #: a power of two of them, up to FILTER_BYTES

    def __contains__(self, event: str) -> bool:
        """Whether an event was probably added; one that was, always is."""
        return all(self.bits[bit >> 3] & 1 << (bit & 7) for bit in _bits(event, len(self.bits)))

    def add(self, events: Iterable[str]) -> "BloomFilter":
        """The filter that knows these events too."""
        bits = bytearray(self.bits)
        for event in events:
            for bit in _bits(event, len(bits)):
                bits[bit >> 3] |= 1 << (bit & 7)
        return BloomFilter(bytes(bits))

    def union(self, other: "BloomFilter") -> "BloomFilter":
        """The filter that knows the events of both. It has the size of the smaller one."""
        return BloomFilter(_either(self.bits, other.bits))


def is_filter_size(size: int) -> bool:
    """Whether a filter can have so many bytes."""
    return 1 <= size <= FILTER_BYTES and not size & (size - 1)


def _bits(event: str, size: int) -> Iterator[int]:
    digest = blake2b(event.encode(), digest_size=16).digest()
    return (int.from_bytes(digest[part : part + 4], "big") % (8 * size) for part in (0, 4, 8, 12))


def _either(one: bytes, other: bytes) -> bytes:
    """Both, bit by bit. The larger is folded onto the smaller: bits are numbered modulo the size."""
    while len(one) != len(other):
        one, other = sorted((one, other), key=len)
        half = len(other) // 2
        other = _either(other[:half], other[half:])
    return (int.from_bytes(one, "big") | int.from_bytes(other, "big")).to_bytes(len(one), "big")
