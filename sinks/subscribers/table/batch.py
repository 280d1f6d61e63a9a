"""Records of the followed topics as one change of the table: the newest of each key, and how far they were read."""

from collections.abc import Mapping

from schemas.consumed import KafkaRecord
from schemas.errors import ContractError
from schemas.topics import Topic
from schemas.version_bounds import AheadError, VersionBounds
from sinks.subscribers.table.entries import Entry, read_entry


class Batch:
    """Grows by `take`; StateTable.write puts it into the table, whole or not at all."""

    def __init__(self, topics: Mapping[str, Topic], bounds: VersionBounds | None = None) -> None:
        """`topics`: full name → topic. With `bounds` every rule of the topics is checked (table/entries.py)."""
        self._topics = topics
        self._bounds = bounds
        self._newest: dict[tuple[str, bytes], Entry] = {}
        self.ends: dict[tuple[str, int], int] = {}  #: topic and partition → the offset after the highest
        self.rejected = 0  #: records that cannot be read: they move the position only

    def take(self, record: KafkaRecord, *, certain: bool = True) -> None:
        """Add a record, of any order and any number of times.

        One whose version is beyond the bounds counts as one that cannot be read; but with `certain` false it raises
        AheadError and changes nothing: let the bounds learn the topics' present ends, and add it again.
        """
        topic = self._topics[record.topic]
        try:
            entry = read_entry(topic, record, self._bounds)
        except ContractError as error:
            if isinstance(error, AheadError) and not certain:
                raise
            entry = None
        place = topic.name, record.partition
        self.ends[place] = max(record.offset + 1, self.ends.get(place, 0))
        if entry is None:
            self.rejected += 1
            return
        known = self._newest.get((entry.kind, entry.key))
        if known is None or known.rank < entry.rank:
            self._newest.pop((entry.kind, entry.key), None)  # it stands where its newest record stood
            self._newest[entry.kind, entry.key] = entry

    @property
    def entries(self) -> list[Entry]:
        """The newest of each key, in the order in which they came."""
        return list(self._newest.values())
