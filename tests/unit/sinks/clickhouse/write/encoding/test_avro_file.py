from io import BytesIO

from fastavro import reader

from schemas.encoding.record_types import JOURNEY_STATE, RESOLVED_TOUCHPOINT
from schemas.encoding.registry import current
from sinks.clickhouse.write.encoding.avro_file import END, END_BYTES, HEAD, PLACE, Container, Item
from sinks.clickhouse.write.encoding.avro_input import wire
from tests.support.kafka_records import example, resolved, resolved_bytes


def test_a_file_holds_every_record_as_it_came_between_its_place_and_the_end_mark() -> None:
    values = [resolved_bytes("e1"), resolved_bytes("e2", version=2**40)]
    items = [Item(2**40 + n, 7, 2**32 - 1, value) for n, value in enumerate(values)]

    found = list(reader(BytesIO(Container(wire(current()["ResolvedTouchpoint"])).file(items))))

    assert [one["touchpoint"]["event_id"] for one in found] == ["e1", "e2"]
    assert [one["version"] for one in found] == [-1, 2**40]
    assert all(one[END] == END_BYTES and one[HEAD] == RESOLVED_TOUCHPOINT.header for one in found)
    place = found[1][PLACE]
    assert [int.from_bytes(part, "little") for part in (place[:8], place[8:12], place[12:])] == [
        2**40 + 1, 7, 2**32 - 1,
    ]  # fmt: skip


def test_times_and_enums_are_read_as_the_integers_that_they_are_on_the_wire() -> None:
    touchpoint = {**resolved("e1")["touchpoint"], "link": "ASSERTED", "consent": {"email": "DENIED"}}
    value = RESOLVED_TOUCHPOINT.encode({**resolved("e1"), "touchpoint": touchpoint})

    (found,) = reader(BytesIO(Container(wire(current()["ResolvedTouchpoint"])).file([Item(0, 0, 0, value)])))

    assert found["touchpoint"]["occurred_at"] == touchpoint["occurred_at"]
    assert found["touchpoint"]["link"] == 1
    assert found["touchpoint"]["consent"] == {"email": 1}


def test_a_file_of_states_reads_back_as_the_states() -> None:
    state = example("JourneyState")
    file = Container(wire(current()["JourneyState"])).file([Item(0, 0, 0, JOURNEY_STATE.encode(state))])

    (found,) = reader(BytesIO(file))

    changed = ("consent", "expectations")  # they hold enums
    assert {name: found[name] for name in state if name not in changed} == {
        name: value for name, value in state.items() if name not in changed
    }
