"""The native core's share of stitch, where it is installed and chosen (streams/native/src/stitch).

The native core takes a fetch in one call. It stitches the touchpoints that are valid and prepared and on their own
partition, whose strongest identifier is neither contested nor corrected, and names the evidence that they bring. The
call changes nothing, and leaves all others to `Stitch.accept`, which defines what becomes of a touchpoint.
"""

from collections.abc import Callable
from typing import Any, Protocol

from schemas.catalogue import Catalogue
from schemas.records import Identifier
from schemas.touchpoint.erasure_names import ERASURE_REQUESTED
from streams.identity.policy.policy import IdentityPolicy
from streams.runtime.native_core import chosen_core
from streams.runtime.publisher import OutgoingRecord
from streams.stitch.compact_assignment import CompactAssignment
from streams.stitch.stitching import StitchState


class Stitched(Protocol):
    """A touchpoint, the record that takes it to its owner, and the evidence that it brings."""

    @property
    def key(self) -> bytes:
        """The key of its strongest identifier."""

    @property
    def partition(self) -> int:
        """The partition of journey-inputs."""

    @property
    def record(self) -> OutgoingRecord:
        """The key of its owner, the ResolvedTouchpoint, no headers."""

    @property
    def assignment(self) -> CompactAssignment | None:
        """What its strongest identifier was assigned to when it was stitched; None if it was not."""

    @property
    def links(self) -> tuple[int, list[tuple[bytes, bytes]]] | None:
        """Its event time (UTC ms) and its new links, each with its key in the changelog; None if it has none."""

    def about(self) -> tuple[str, str, str, int, bytes]:
        """Tenant, type and value of its strongest identifier, event time (UTC ms), and the record as it came."""


def learn_plain(
    records: list[Any], start: int, state: StitchState, limit: Callable[[str], int], partitions: int
) -> tuple[int, list[OutgoingRecord]]:
    """Learn assignments from `start` on natively, until one that `Learning.learn` must take.

    `limit` gives the first version that cannot exist yet of a tenant's assignments, `partitions` is the number of
    partitions of their topic. Returns the place of that record, and the changelog records of what is new. Mutates
    `state`.
    """
    core = chosen_core()
    if core is None:
        return start, []
    learnt: tuple[int, list[OutgoingRecord]] = core.learn_assignments(
        records, start, state.assignments, limit, partitions
    )
    return learnt


class NativeStitch:
    """Takes the fetches of one worker. It asks the policy and the catalogue once for each text, and remembers."""

    def __init__(self, policy: IdentityPolicy, catalogue: Catalogue) -> None:
        self._policy = policy
        self._catalogue = catalogue
        self._stitch: Any = None

    def take(
        self, records: list[Any], now: int, state: StitchState, partition: int, partitions: tuple[int, int]
    ) -> list[Stitched | None]:  # fmt: skip
        """For each record of a fetch what becomes of it, or None if Python must take it.

        `now` is the latest possible reception of a record that the broker has not stamped, UTC ms. `partitions` are the
        numbers of partitions of touchpoints and journey-inputs.
        """
        core = chosen_core()
        if core is None:
            return [None] * len(records)
        if self._stitch is None:
            self._stitch = core.Stitch(self._priority, self._means, self._named)
        taken: list[Stitched | None] = self._stitch.take(
            records, now, state.assignments, state.evidence, partition, *partitions
        )
        return taken

    def _priority(self, tenant: str, type_: str, value: str) -> int | None:
        """The priority of an identifier that is prepared already; None if preparing changes or blocks it."""
        rules, identifier = self._policy.for_tenant(tenant), Identifier(type=type_, value=value)
        return rules.rule(type_).priority if rules.usable([identifier]) == [identifier] else None

    def _means(self, tenant: str, reference: str) -> bool:
        """Whether a reference of a touchpoint means something."""
        return not self._policy.for_tenant(tenant).means_nothing(reference)

    def _named(self, type_: str, channel: str) -> bool:
        """Whether both have the catalogue's names, and the touchpoint asks for no erasure."""
        names = self._catalogue
        written = names.type_name(type_) == type_ and names.channel_name(channel) == channel
        return written and type_ != ERASURE_REQUESTED
