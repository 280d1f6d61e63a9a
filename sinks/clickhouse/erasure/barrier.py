"""What an erasure waits for: until every process has answered it, stage by stage, ClickHouse must not count its rows.

Identity publishes an erasure as a tombstone of the assignment and as messages to profiles. What the workers have yet
to read may hold touchpoints of the erased identifier, and what they publish in answer travels on through more topics.
Each stage therefore takes the ends of its topics when the stage before is over, and lasts until the group has committed
up to there. A commit follows the acknowledgement of all outputs (streams/runtime/transaction.py), so these outputs lie
before the ends that the next stage takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from schemas import topics
from schemas.topics import LOADER_GROUP, WORKER_GROUP, Topic


class Position(NamedTuple):
    """Where a consumer group is in a partition."""

    done: int  #: the offset up to which it has committed, or where the log begins
    end: int  #: the offset after the last record


#: Consumer group → topic and partition → position. Names are those of schemas.topics, without the deployment's prefix.
#: Each committed offset must have been read before the end beside it.
Positions: TypeAlias = Mapping[str, Mapping[tuple[str, int], Position]]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: a group must have done what its topics hold."""

    name: str
    group: str
    topics: tuple[Topic, ...]


_JOURNEYS: Final = Stage("journeys", WORKER_GROUP, (topics.JOURNEY_INPUTS,))
#: In the order in which the effects of an erasure travel. Journeys come twice: what one profile forwards or transfers
#: another has to take. A third profile is possible only if its identifier changed hands twice meanwhile; the second
#: deletion sees to that.
STAGES: Final = (
    Stage("identity", WORKER_GROUP, (topics.IDENTITY_LINKS,)),
    Stage("stitch", WORKER_GROUP, (topics.TOUCHPOINTS, topics.IDENTITY_ASSIGNMENTS)),
    _JOURNEYS,
    _JOURNEYS,
    Stage("accounts", WORKER_GROUP, (topics.ACCOUNT_INPUTS,)),
    Stage("loading", LOADER_GROUP, tuple(topic for topic in topics.ALL if "loader" in topic.read_by)),
)


@dataclass(slots=True)
class Barrier:
    """How far one erasure has come."""

    _stage: int = 0
    #: of the present stage; empty before its first look
    _ends: dict[tuple[str, int], int] = field(default_factory=dict)
    _left: int = 0

    def passes(self, positions: Positions) -> bool:
        """Advance by what the groups have committed. Returns whether all stages are over."""
        while self._stage < len(STAGES):
            stage = STAGES[self._stage]
            names = {topic.name for topic in stage.topics}
            found = {place: at for place, at in positions.get(stage.group, {}).items() if place[0] in names}
            self._ends = self._ends or {place: at.end for place, at in found.items()}
            self._left = sum(
                max(self._ends[place] - at.done, 0) for place, at in found.items() if place in self._ends
            )
            if self._left:
                return False
            self._stage += 1
            self._ends = {}
        return True

    @property
    def waits_for(self) -> str:
        """The stage and how many records are before it, for people; empty once all are over."""
        if self._stage == len(STAGES):
            return ""
        return f"{STAGES[self._stage].name}: {self._left:,} records"
