"""Which business account each profile belongs to, and the contributions that its accounts get.

A journey state names the account that its profile belongs to. `Memberships` runs beside the journeys. It sends a
contribution to the account of each changed profile, and a withdrawal to each account that a profile may have left.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeGuard

from schemas.encoding.record_types import FOLD_SUMMARY
from schemas.records import AccountContribution, JourneyState, MemberSummary
from schemas.touchpoint.events import event_key
from streams.journeys.timeline.timeline import Timeline

#: Limit of an account id, as of an identifier. A longer one is a source's mistake, and is treated as no account.
MAX_ACCOUNT_CHARACTERS: Final = 200


def account_of(state: JourneyState) -> str | None:
    """The account that a journey belongs to; None if it names none."""
    account_id = state["account_id"]
    return account_id if usable(account_id) else None


def usable(account_id: str | None) -> TypeGuard[str]:
    """Whether an account id names an account."""
    return account_id is not None and len(account_id) <= MAX_ACCOUNT_CHARACTERS


def summary_of(state: JourneyState) -> MemberSummary:
    """The fields of a member's journey that its account needs."""
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
    """The account of each profile in one partition of journeys. Profiles without an account take no memory.

    A fetch that is repeated after a crash may cover more input than it did the first time. Its net result may then
    skip an account that the first attempt told of the profile. So every fetch sends a contribution to the account of
    each profile it names, changed or not, and a withdrawal to every other account that the profile may have belonged
    to after some input of the fetch.
    """

    __slots__ = ("_account_of_profile", "_candidates")

    def __init__(self) -> None:
        self._account_of_profile: dict[bytes, str] = {}
        self._candidates: dict[
            bytes, set[str]
        ] = {}  #: accounts that a profile may have named during this fetch

    def resume(self, key: bytes, timeline: Timeline, account_id: str | None) -> None:
        """Note the account that a profile's restored touchpoints name, before the first input after a restart.

        That account has been told: outputs are published before the changelog is written.
        """
        if usable(account_id):
            self._account_of_profile[key] = account_id
            self._add_candidates(key, _accounts_in(timeline))

    def note_input(self, key: bytes, timeline: Timeline, message: Mapping[str, Any]) -> None:
        """Note the accounts that the profile may name after this journey input. Call it before applying the input."""
        touchpoint = message.get("touchpoint")
        if touchpoint is not None:
            self._add_candidates(key, (touchpoint["account_id"],))
            if event_key(touchpoint) not in timeline.entries:
                return
        else:
            self._add_candidates(key, (item["account_id"] for item in message.get("touchpoints", ())))
            if message.get("frozen"):
                self._add_candidates(key, map(_summary_account, message["frozen"]["folds"]))
        # the input may remove the newest touchpoint; any remaining one may then name the profile's account
        if key in self._account_of_profile or key in self._candidates:
            self._add_candidates(key, _accounts_in(timeline))

    def _add_candidates(self, key: bytes, accounts: Iterable[str | None]) -> None:
        for account_id in accounts:
            if usable(account_id):
                self._candidates.setdefault(key, set()).add(account_id)

    def contributions(
        self, key: bytes, tenant: str, profile_id: str, version: int, state: JourneyState | None
    ) -> Iterator[AccountContribution]:
        """The contributions to send after a fetch: `state` is the profile's journey, None if nothing is left of it."""
        account_id = None if state is None else account_of(state)
        left = self._candidates.pop(key, set())
        if key in self._account_of_profile:
            left.add(self._account_of_profile.pop(key))
        for other in sorted(left.difference({account_id})):
            yield AccountContribution(
                tenant=tenant, account_id=other, profile_id=profile_id, version=version, summary=None
            )
        if state is not None and account_id is not None:
            self._account_of_profile[key] = account_id
            yield AccountContribution(
                tenant=tenant, account_id=account_id, profile_id=profile_id, version=version,
                summary=summary_of(state),
            )  # fmt: skip


def _accounts_in(timeline: Timeline) -> Iterator[str | None]:
    """The accounts that a timeline's touchpoints name."""
    for entry in timeline.held():
        yield entry.touchpoint()["account_id"]
    for summary in timeline.summaries.values():
        yield from map(_summary_account, summary.folds)


def _summary_account(summary: bytes) -> str | None:
    """The newest account among the touchpoints of a horizon summary, which moves and goes as a whole."""
    mark = FOLD_SUMMARY.decode(summary)["account_id"]
    return None if mark is None else str(mark["value"])
