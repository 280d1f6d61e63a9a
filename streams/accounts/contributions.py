"""A business account: the sum of the newest contribution of each member profile.

Repeating, delaying or reordering contributions changes nothing. streams/journeys/memberships.py sends them.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from heapq import nsmallest
from math import fsum
from typing import Final

from schemas.records import (
    AccountContribution,
    AccountIssue,
    AccountState,
    AccountTouch,
    MemberSummary,
)
from streams.journeys.state.state_hash import seal

#: Limits of an account state's lists: the members seen last, the issues open longest, the profiles of one issue.
MAX_MEMBER_IDS: Final = 100
MAX_ISSUES: Final = 50
MAX_ISSUE_PROFILES: Final = 10
_LONG_MAX: Final = 2**63 - 1


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
        member["friction"] * 0.5 ** (max(as_of - member["as_of"], 0) / friction_half_life)
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
