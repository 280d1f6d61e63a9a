"""Damaged records through every reader of the native core: `make fuzz-native`, or `python -m tests.fuzz.native`.

Each record is a real one with damage: bits and bytes changed, cut, repeated, spliced with another's, lengths made
absurd.
No reader may panic, and what `read_record` takes it must read as Python does. Exit code 1 and the bytes, if one fails.
"""

import sys
import time
from collections.abc import Iterator
from random import Random
from typing import Any, Final

from schemas.encoding.codec import HEADER_BYTES, decode, encode
from schemas.errors import ContractError
from schemas.keys import profile_key
from streams.identity.resolution.definition import own_profile
from streams.journeys.native_journeys import NativeJourneys, native_journeys
from streams.journeys.signals.published import Publication
from streams.journeys.timeline.entry import id_of
from streams.runtime.native_core import choose_native, installed_core
from tests.support.agents import Record
from tests.support.built_in import CATALOGUE, RULES
from tests.support.journeys_of import long_journey

NODE: Final = ("cookie", "a")
PROFILE: Final = own_profile("default", NODE)
KEY: Final = profile_key("default", PROFILE)
#: What a length or a number is replaced by: zigzag varints at the edges, and some that never end.
ABSURD: Final = (
    b"\x00", b"\x01", b"\x02", b"\x7f", b"\xff\xff\xff\xff\x0f", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x80" * 11, b"\x80\x00", b"\xff" * 12,
)  # fmt: skip


def seeds() -> list[tuple[bytes, bytes]]:
    """Names of changelog keys, and records: of all kinds that the core reads."""
    found: list[tuple[bytes, bytes]] = []
    assignment: Any = {
        "tenant": "default", "identifier": {"type": NODE[0], "value": NODE[1]}, "profile_id": PROFILE,
        "contested_from": None, "contested_profile_id": None, "version": 3, "event_id": "e", "occurred_at": 7,
        "correction": None,
    }  # fmt: skip
    touchpoints: list[Any] = [
        item | {"identifiers": [{"type": NODE[0], "value": NODE[1]}], "account_id": None}
        for item in long_journey(3, 24)
    ]
    for item in touchpoints:
        resolved = {
            "identifier": {"type": NODE[0], "value": NODE[1]}, "profile_id": PROFILE, "version": 1, "touchpoint": item
        }  # fmt: skip
        event = f"{item['event_id']}\0{item['source']}"
        found.append(
            (KEY + b"/e/" + id_of(item, event, NODE).encode(), encode("ResolvedTouchpoint", resolved))
        )
        found.append((KEY, encode("Touchpoint", item)))
    found.append((KEY + b"/p/cookie:a", encode("IdentityAssignment", assignment)))
    found.append((KEY, encode("Move", {"profile_id": PROFILE, "assignment": assignment})))
    transfer = {
        "profile_id": PROFILE, "from_profile_id": own_profile("default", ("cookie", "b")), "assignment": assignment,
        "touchpoints": touchpoints[:3], "frozen": None,
    }  # fmt: skip
    found.append((KEY, encode("Transfer", transfer)))
    found.append((KEY + b"/s/", Publication(7, 8, 9, 10).encode()))
    link = {
        "tenant": "default", "left": assignment["identifier"], "right": {"type": "email", "value": "x"},
        "occurred_at": 3, "kind": "ASSERTED", "event_id": "e", "source": "web",
    }  # fmt: skip
    found.append((b"~default\x1f", encode("IdentityLink", link)))
    return found


def damaged(random: Random, values: list[bytes]) -> bytes:
    """A record with damage of one to four kinds."""
    value = bytearray(random.choice(values))
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(value) + 1)
        match random.randrange(7):
            case 0 if at < len(value):
                value[at] ^= 1 << random.randrange(8)
            case 1 if at < len(value):
                value[at] = random.randrange(256)
            case 2:
                del value[max(at, HEADER_BYTES) :]
            case 3:
                value[at : at + random.randrange(4)] = random.choice(ABSURD)
            case 4:
                other = random.choice(values)
                cut = random.randrange(len(other) + 1)
                value[at:] = other[cut:]
            case 5:
                value[at:at] = value[at : at + random.randrange(40)]
            case _:
                del value[at : at + random.randrange(8)]
    return bytes(value)


class Readers:
    """Everything of the core that reads bytes from elsewhere."""

    def __init__(self) -> None:
        self._core = installed_core()
        self._stitch = self._core.Stitch(lambda *_: 1, lambda *_: True, lambda *_: True)
        self._taken = 0
        self.accepted = self.restored = 0  #: records that were not refused
        self._journeys = self._new()

    def _new(self) -> NativeJourneys:
        found = native_journeys(CATALOGUE, RULES)
        assert found is not None
        return found

    def read(self, name: bytes, value: bytes, *, compare: bool) -> None:
        """Let every reader read a record. Raises what any raises, an AssertionError if two differ."""
        if compare:
            same_as_python(value)
        else:
            self._core.read_record(value)
        self._stitch.take([value], [1 << 45], {}, {}, 0, 1, 1)
        self._core.restore_stitch([Record(key=name, value=value)], 0, {}, {})
        self.restored += self._journeys.restore([Record(key=name, value=value)], 0, {}, ({}, {}))[0]
        self._take(value)
        self._taken += 1
        if not self._taken % 500:
            self._journeys = self._new()

    def _take(self, value: bytes) -> None:
        record = Record("journey-inputs", 0, self._taken, 0, KEY, value)
        fetch = {
            "base": 0, "partitions": 1, "partition": 0, "clock": 1.8e9, "watermark": 0, "meanings": 1,
            "limit": lambda _: 1 << 40, "model": lambda *_: None, "objects": {}, "compressed": {},
            "packer": self._journeys.packer, "perhaps": {},
        }  # fmt: skip
        core = self._journeys.core
        taken, *_, failure = core.take([record], 0, 1, fetch)
        assert failure is None, failure
        self.accepted += taken
        *_, failures = core.publish(0, core.count, 1 << 40, 1, lambda *_: None, lambda *_: None)
        assert not failures, failures
        core.finish()
        for key in core.keys():  # noqa: SIM118 (it is no dict)
            core.give(key, self._journeys.packer) if not self._taken % 50 else None


def same_as_python(value: bytes) -> None:
    """Raise AssertionError unless both cores read a record alike, or both refuse it in the same words."""

    def outcome(native: bool) -> str:
        choose_native(native)
        try:
            return repr(decode(value))
        except ContractError as error:
            return f"refused: {error}"

    native, python = outcome(True), outcome(False)
    choose_native(True)
    assert native == python, f"{native} is not {python}"


def records(random: Random) -> Iterator[tuple[bytes, bytes]]:
    """Damaged records for ever, each with a name."""
    known = seeds()
    values = [value for _, value in known]
    while True:
        name = random.choice(known)[0]
        yield name, damaged(random, values)


def main(seconds: float, seed: int = 0) -> int:
    """Read damaged records for so many seconds. Returns the exit code."""
    choose_native(True)
    readers, until = Readers(), time.monotonic() + seconds
    for count, (name, value) in enumerate(records(Random(seed or time.time_ns())), start=1):
        try:
            readers.read(name, value, compare=not count % 8)
        except BaseException as error:  # a panic is no Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            print(f"{type(error).__name__}: {error}\n{name!r}\n{value.hex()}")
            return 1
        if time.monotonic() > until:
            print(
                f"{count:,} damaged records, no panic, and Python reads them alike;"
                f" of these the core took {readers.accepted:,} as inputs and restored {readers.restored:,}"
            )
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
