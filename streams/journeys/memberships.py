"""Which business account each profile belongs to, and what the account must hear of it.

A journey state names its profile's account. The account gets an AccountContribution with a summary of the member's
journey; an account that a profile has left gets one without a summary.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeGuard

from schemas.codec import decode_as
from schemas.records import AccountContribution, JourneyState, MemberSummary
from streams.journeys.timeline import Timeline

#: Longer account ids are a source's mistake and unfit as a Kafka key. An identifier has the same limit.
MAX_ACCOUNT_CHARACTERS: Final = 200


def account_of(state: JourneyState) -> str | None:
    """The account a journey belongs to, if any."""
    account_id = state["account_id"]
    return account_id if usable(account_id) else None


def usable(account_id: str | None) -> TypeGuard[str]:
    """Whether this names an account."""
    return account_id is not None and len(account_id) <= MAX_ACCOUNT_CHARACTERS


def summary_of(state: JourneyState) -> MemberSummary:
    """What an account takes from a member's journey."""
    last = state["recent"][-1]
    return {
        "as_of": state["as_of"],
        "stage": state["stage"],
        "touchpoints": state["touchpoints"],
        "orders": state["orders"],
        "revenue": state["revenue"],
        "sentiment": state["sentiment"],
        "friction": state["friction"],
        "issues_solved": state["issues_solved"],
        "open_issues": [
            {
                "issue_id": issue["issue_id"],
                "opened_at": issue["opened_at"],
                "last_contact_at": issue["last_contact_at"],
                "contacts": issue["contacts"],
                "channels": issue["channels"],
            }
            for issue in state["open_issues"]
        ],
        "last_touch": {
            "event_id": last["event_id"],
            "occurred_at": last["occurred_at"],
            "channel": last["channel"],
            "type": last["type"],
        },
    }


class Memberships:
    """Which account each profile of one partition of journeys is in; only members take room.

    A fetch that is repeated after a crash may be longer than it was, and its net result pass over what was told
    in between. So a member's account hears of it after every fetch that names it, changed or not, and so does
    every account that may have been the profile's after some input of the fetch.
    """

    __slots__ = ("_passed", "_told")

    def __init__(self) -> None:
        self._told: dict[bytes, str] = {}
        self._passed: dict[bytes, set[str]] = {}  #: accounts of a profile in the present fetch

    def resume(self, key: bytes, timeline: Timeline, state: JourneyState) -> None:
        """After a restart, before the profile `key` changes: the account of what it was must hear of it.

        The changelog was written after the outputs, so that account was told.
        """
        account_id = account_of(state)
        if account_id is not None:
            self._told[key] = account_id
            self._pass(key, _held(timeline))

    def expect(self, key: bytes, timeline: Timeline, message: Mapping[str, Any]) -> None:
        """Before an input on journey-inputs changes the profile `key`: note the accounts it may come to name."""
        touchpoint = message.get("touchpoint")
        if touchpoint is not None:
            self._pass(key, (touchpoint["account_id"],))
            if touchpoint["event_id"] not in timeline.entries:
                return
        else:
            self._pass(key, (item["account_id"] for item in message.get("touchpoints", ())))
            if message.get("frozen"):
                self._pass(key, map(_frozen_account, message["frozen"]["folds"]))
        # something may be taken away, and what was beneath it become the newest
        if key in self._told or key in self._passed:
            self._pass(key, _held(timeline))

    def _pass(self, key: bytes, accounts: Iterable[str | None]) -> None:
        for account_id in accounts:
            if usable(account_id):
                self._passed.setdefault(key, set()).add(account_id)

    def tell(
        self, key: bytes, tenant: str, profile_id: str, version: int, state: JourneyState | None
    ) -> Iterator[AccountContribution]:
        """What accounts must hear now that the profile's journey is `state`, or None if nothing is left of it."""
        account_id = None if state is None else account_of(state)
        left = self._passed.pop(key, set())
        if key in self._told:
            left.add(self._told.pop(key))
        for other in sorted(left.difference({account_id})):
            yield AccountContribution(
                tenant=tenant, account_id=other, profile_id=profile_id, version=version, summary=None
            )
        if state is not None and account_id is not None:
            self._told[key] = account_id
            yield AccountContribution(
                tenant=tenant, account_id=account_id, profile_id=profile_id, version=version,
                summary=summary_of(state),
            )  # fmt: skip


def _held(timeline: Timeline) -> Iterator[str | None]:
    """The accounts that a timeline's touchpoints name."""
    for entry in timeline.entries.values():
        yield entry.touchpoint()["account_id"]
    for frozen in timeline.frozen.values():
        yield from map(_frozen_account, frozen.folds)


def _frozen_account(summary: bytes) -> str | None:
    """The newest account of an identifier's frozen touchpoints: they come and go as one."""
    mark = decode_as("FoldSummary", summary)["account_id"]
    return None if mark is None else str(mark["value"])
