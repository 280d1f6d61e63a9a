"""How many values of each type a cluster has, as far as the policy bounds them."""

from typing import Final

from streams.identity.policy.pseudonyms import key_id_of
from streams.identity.resolution.cluster import Counts
from streams.identity.resolution.evidence import Node

#: Between a type and the name of a key, where values are counted.
_UNDER: Final = "\x1f"
#: Clusters of up to this many counted members share equal dicts: few combinations exist.
_SHARED_COUNTS: Final = 32


def counted_as(node: Node) -> str:
    """What limits count a value as: its type and, of a pseudonym, the key's name.

    One value has two pseudonyms while keys are rotated. Counted together, they would halve every limit.
    """
    type_, value = node
    key_id = key_id_of(value)
    return f"{type_}{_UNDER}{key_id}" if key_id else type_


def type_of(counted: str) -> str:
    """The type in what `counted_as` returns."""
    return counted.partition(_UNDER)[0]


class SharedCounts:
    """The counts of a tenant's clusters. Equal small ones are one dict, so nobody may change a dict that is shared."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, int], ...], Counts] = {}

    def shared(self, counts: Counts) -> Counts:
        """The dict that stands for these counts."""
        if sum(counts.values()) > _SHARED_COUNTS:
            return counts
        return self._known.setdefault(tuple(sorted(counts.items())), counts)

    def summed(self, one: Counts, other: Counts) -> Counts:
        """The counts of two clusters together."""
        if not one or not other:
            return one or other
        total = dict(one)
        for type_, count in other.items():
            total[type_] = total.get(type_, 0) + count
        return self.shared(total)
