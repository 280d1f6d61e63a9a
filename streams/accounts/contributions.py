"""Accounts: the contributions of profiles, and the account state that they add up to.

A journey state names the account that its profile belongs to. `Memberships` runs beside the journeys. It sends a
contribution to the account of each changed profile, and a withdrawal to each account that a profile may have left. An
account sums up the newest contribution of each profile, so repeating, delaying or reordering contributions changes
nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest
from math import fsum
from typing import Any, Final, TypeGuard

from schemas.codec import decode_as
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

#: Limits of an account state's lists: the members seen last, the issues open longest, the profiles of one issue.
MAX_MEMBER_IDS: Final = 100
MAX_ISSUES: Final = 50
MAX_ISSUE_PROFILES: Final = 10
#: Limit of an account id, as of an identifier. A longer one is a source's mistake, and is treated as no account.
MAX_ACCOUNT_CHARACTERS: Final = 200
_LONG_MAX: Final = 2**63 - 1


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
        #: the accounts that a profile may have named during this fetch
        self._candidates: dict[bytes, set[str]] = {}

    def resume(self, key: bytes, timeline: Timeline, state: JourneyState) -> None:
        """Note the account of a profile's restored state, before the first input after a restart changes the profile.

        That account has been told: outputs are published before the changelog is written.
        """
        account_id = account_of(state)
        if account_id is not None:
            self._account_of_profile[key] = account_id
            self._add_candidates(key, _accounts_in(timeline))

    def note_input(self, key: bytes, timeline: Timeline, message: Mapping[str, Any]) -> None:
        """Note the accounts that the profile may name after this journey input. Call it before applying the input."""
        touchpoint = message.get("touchpoint")
        if touchpoint is not None:
            self._add_candidates(key, (touchpoint["account_id"],))
            if touchpoint["event_id"] not in timeline.entries:
                return
        else:
            self._add_candidates(key, (item["account_id"] for item in message.get("touchpoints", ())))
            if message.get("frozen"):
                self._add_candidates(key, map(_frozen_account, message["frozen"]["folds"]))
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
    for entry in timeline.entries.values():
        yield entry.touchpoint()["account_id"]
    for frozen in timeline.frozen.values():
        yield from map(_frozen_account, frozen.folds)


def _frozen_account(summary: bytes) -> str | None:
    """The newest account among an identifier's frozen touchpoints, which are added and removed as one."""
    mark = decode_as("FoldSummary", summary)["account_id"]
    return None if mark is None else str(mark["value"])


class Account:
    """One account: the newest contribution of each profile that ever was a member.

    The version of a former member is kept, because an older contribution of the same profile may arrive later.
    """

    __slots__ = ("_contributions", "account_id", "tenant", "version")

    def __init__(self, tenant: str, account_id: str) -> None:
        self.tenant = tenant
        self.account_id = account_id
        self.version = 0  #: version of the newest input
        self._contributions: dict[str, tuple[int, MemberSummary | None]] = {}

    def apply(self, contribution: AccountContribution) -> bool:
        """Store a contribution and return True. Returns False if a newer one of the same profile is stored."""
        profile_id, version = contribution["profile_id"], contribution["version"]
        known = self._contributions.get(profile_id)
        if known is not None and known[0] > version:
            return False
        self._contributions[profile_id] = version, contribution["summary"]
        return True

    def state(self, friction_half_life: int) -> AccountState | None:
        """The account's state; None if it has no member. `friction_half_life` is in milliseconds of event time."""
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
    """The state of an account with these members (profile id → summary), at least one.

    `friction_half_life` is in milliseconds of event time.
    """
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
        # fsum rounds once, at the end, so the order of the members does not matter
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
    """The members' open issues, the oldest first. Issues with the same id are combined."""
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
