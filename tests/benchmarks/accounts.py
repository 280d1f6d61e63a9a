"""What accounts cost: microseconds per contribution told and applied, and per account state by members.

Run: python -m tests.benchmarks.accounts
"""

import time
from collections.abc import Callable

from schemas.encoding.record_types import ACCOUNT_CONTRIBUTION, ACCOUNT_STATE
from streams.accounts.contributions import Account
from streams.accounts.partition import AccountPartition
from streams.journeys.memberships import Memberships
from streams.journeys.timeline.timeline import Timeline
from tests.support.built_in import RULES
from tests.support.journeys import state, touchpoint


def microseconds(work: Callable[[], object], times: int) -> float:
    """Mean over `times` calls."""
    started = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - started) / times * 1e6


def main() -> None:
    """Print the table."""
    event = touchpoint("issue_opened", issue_id="case-1", account_id="A", sentiment=0.1)
    journey, timeline, told = state(event), Timeline("t", "p"), Memberships()
    plain = state(touchpoint("product_view"))
    message = {"touchpoint": event}

    def tell() -> list[bytes]:
        told.note_input(b"k", timeline, message)
        return [ACCOUNT_CONTRIBUTION.encode(c) for c in told.contributions(b"k", "t", "p", 1, journey)]

    def ignore() -> None:
        told.note_input(b"n", timeline, {"touchpoint": touchpoint_of_nobody})
        list(told.contributions(b"n", "t", "p", 1, plain))

    touchpoint_of_nobody = touchpoint("product_view")
    print(f"tell an account of a member:     {microseconds(tell, 20_000):8.1f} µs")
    print(f"a profile without an account:    {microseconds(ignore, 100_000):8.1f} µs")
    (contribution,) = told.contributions(b"k", "t", "p", 1, journey)
    for members in (1, 10, 100, 1_000, 10_000):
        account: Account = AccountPartition(0).account("t", "A")
        for number in range(members):
            account.apply({**contribution, "profile_id": f"p{number}"})
        cost = microseconds(lambda: ACCOUNT_STATE.encode(account.state(RULES.friction_half_life_ms)), 30)  # type: ignore[arg-type] # noqa: B023
        size = len(ACCOUNT_STATE.encode(account.state(RULES.friction_half_life_ms)))  # type: ignore[arg-type]
        print(f"state of {members:6,} members:        {cost:8.1f} µs, {size:6,} bytes")


if __name__ == "__main__":
    main()
