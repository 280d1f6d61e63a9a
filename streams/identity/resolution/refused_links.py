"""Refused links with their reasons, counted by kind as they come and go: metrics must not count them one by one."""

from collections import Counter
from typing import Any

from streams.identity.resolution.evidence import Item
from streams.identity.resolution.gates import by_gate


class RefusedLinks(dict[Item, str]):
    """Maps a refused link to its reason. `counts`: how many a unique type, a limit or a gate refused."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __setitem__(self, item: Item, reason: str) -> None:
        if item in self:
            self.counts[_kind(self[item])] -= 1
        super().__setitem__(item, reason)
        self.counts[_kind(reason)] += 1

    def __delitem__(self, item: Item) -> None:
        self.counts[_kind(self[item])] -= 1
        super().__delitem__(item)

    def pop(self, item: Item, *default: Any) -> Any:
        """As of a dict."""
        if item in self:
            self.counts[_kind(self[item])] -= 1
        return super().pop(item, *default)


def _kind(reason: str) -> str:
    """`unique`, `limit` or `gate`: which of two gates refuses a link may change while it stays refused."""
    return "gate" if by_gate(reason) else reason.partition(":")[0]
