"""What profiles tell their accounts, and what an account makes of it.

A journey state names the account its profile belongs to. `Told` runs beside the journeys: it tells the account
what it needs of each member's journey, and the account that a profile left that it is gone. An account is the
sum of the newest contribution of each profile, so repeating, delaying or reordering them changes nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest
from math import fsum
from typing import Any, Final, TypeGuard

from schemas.codec import decode_as
from schemas.events import event_key
from schemas.records import (
    AccountContribution,
    AccountIssue,
    AccountState,
    AccountTouch,
    JourneyState,
    MemberSummary,
)
from streams.journeys.state_hash import seal
from streams.journeys.timeline import Timeline

#: Of a state's lists: members by their newest touchpoint, cases by age, profiles of one case.
MAX_MEMBER_IDS: Final = 100
MAX_ISSUES: Final = 50
MAX_ISSUE_PROFILES: Final = 10
#: Longer account ids are a source's mistake, and no Kafka key; as long as an identifier may be.
MAX_ACCOUNT_CHARACTERS: Final = 200
_LONG_MAX: Final = 2**63 - 1


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


class Told:
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
            if event_key(touchpoint) not in timeline.entries:
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
    for entry in timeline.held():
        yield entry.touchpoint()["account_id"]
    for frozen in timeline.frozen.values():
        yield from map(_frozen_account, frozen.folds)


def _frozen_account(summary: bytes) -> str | None:
    """The newest account of an identifier's frozen touchpoints: they come and go as one."""
    mark = decode_as("FoldSummary", summary)["account_id"]
    return None if mark is None else str(mark["value"])


class Account:
    """One account: the newest contribution of every profile that ever was a member.

    Those that left stay known by their version: an older contribution of theirs may still be on its way.
    """

    __slots__ = ("_contributions", "account_id", "tenant", "version")

    def __init__(self, tenant: str, account_id: str) -> None:
        self.tenant = tenant
        self.account_id = account_id
        self.version = 0  #: of the newest input applied
        self._contributions: dict[str, tuple[int, MemberSummary | None]] = {}

    def apply(self, contribution: AccountContribution) -> bool:
        """Take a contribution and return True, unless a newer one of the same profile is known."""
        profile_id, version = contribution["profile_id"], contribution["version"]
        known = self._contributions.get(profile_id)
        if known is not None and known[0] > version:
            return False
        self._contributions[profile_id] = version, contribution["summary"]
        return True

    def state(self, friction_half_life: int) -> AccountState | None:
        """The account's state, or None if it has no member; `friction_half_life` in milliseconds."""
        members = {profile_id: summary for profile_id, (_, summary) in self._contributions.items() if summary}
        if not members:
            return None
        return combine(self.tenant, self.account_id, self.version, members, friction_half_life)


def combine(
    tenant: str,
    account_id: str,
    version: int,
    members: Mapping[str, MemberSummary],
    friction_half_life: int,
) -> AccountState:
    """The state of an account with these members (profile id → summary), of which there is at least one."""
    last_touch = _last_touch(members)
    as_of = last_touch["occurred_at"]
    frictions = [
        member["friction"] * 0.5 ** ((as_of - member["as_of"]) / friction_half_life)
        for member in members.values()
        if member["friction"]
    ]
    sentiments = [m["sentiment"] for m in members.values() if m["sentiment"] is not None]
    issues = _issues(members)
    state: AccountState = {
        "tenant": tenant,
        "account_id": account_id,
        "version": version,
        "state_hash": "",
        "as_of": as_of,
        "members": len(members),
        "member_ids": [
            profile_id
            for _, profile_id in nsmallest(
                MAX_MEMBER_IDS, ((-member["as_of"], profile_id) for profile_id, member in members.items())
            )
        ],
        "stages": dict(sorted(Counter(member["stage"] for member in members.values()).items())),
        "touchpoints": sum(member["touchpoints"] for member in members.values()),
        "open_issues": len(issues),
        "oldest_issues": issues[:MAX_ISSUES],
        "issues_solved": sum(member["issues_solved"] for member in members.values()),
        # fsum rounds once, at the end: the order of the members does not show
        "sentiment": round(fsum(sentiments) / len(sentiments), 6) + 0.0 if sentiments else None,
        "friction_mean": round(fsum(frictions) / len(members), 6),
        "friction_max": round(max(frictions, default=0.0), 6),
        "orders": sum(member["orders"] for member in members.values()),
        "revenue": _revenue(members),
        "last_touch": last_touch,
    }
    seal(state, "AccountState")
    return state


def _last_touch(members: Mapping[str, MemberSummary]) -> AccountTouch:
    _, _, profile_id = max(
        (member["last_touch"]["occurred_at"], member["last_touch"]["event_id"], profile_id)
        for profile_id, member in members.items()
    )
    return {**members[profile_id]["last_touch"], "profile_id": profile_id}


def _revenue(members: Mapping[str, MemberSummary]) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for member in members.values():
        for currency, amount in member["revenue"].items():
            totals[currency] += amount
    return {currency: max(-_LONG_MAX, min(_LONG_MAX, total)) for currency, total in sorted(totals.items())}


def _issues(members: Mapping[str, MemberSummary]) -> list[AccountIssue]:
    """The members' open cases, those with one id taken together, the oldest first."""
    found: dict[str, AccountIssue] = {}
    for profile_id, member in sorted(item for item in members.items() if item[1]["open_issues"]):
        for issue in member["open_issues"]:
            known = found.get(issue["issue_id"])
            if known is None:
                found[issue["issue_id"]] = {**issue, "profile_ids": [profile_id]}
                continue
            known["opened_at"] = min(known["opened_at"], issue["opened_at"])
            known["last_contact_at"] = max(known["last_contact_at"], issue["last_contact_at"])
            known["contacts"] += issue["contacts"]
            known["channels"] = sorted({*known["channels"], *issue["channels"]})
            if len(known["profile_ids"]) < MAX_ISSUE_PROFILES:
                known["profile_ids"].append(profile_id)
    return sorted(found.values(), key=lambda issue: (issue["opened_at"], issue["issue_id"]))
