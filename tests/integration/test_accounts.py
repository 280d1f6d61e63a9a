"""Accounts on real parts: with two workers, a kill in the middle and members that move, live equals replay."""

from random import Random

import pytest

from schemas.records import Touchpoint
from streams.replay import Replay
from tests.integration.parts import Deployment, deployment
from tests.integration.test_pipeline import replayed, send, wait_for_states
from tests.support.touchpoints import touchpoint

pytestmark = pytest.mark.sandbox

TYPES = ("product_view", "order_placed", "issue_opened", "payment_error", "support_call", "issue_solved")


def business(people: int, events: int, seed: int) -> list[Touchpoint]:
    """Colleagues of four companies who browse anonymously, log in, have cases, and change their employer."""
    random = Random(seed)
    history = []
    for number in range(events):
        who = random.randrange(people)
        ids = [("cookie", f"c{who}"), ("customer_id", f"C{who}")][random.randrange(2) :]
        if random.random() < 0.5:
            ids = ids[:1]
        history.append(
            touchpoint(
                f"e{number}", minute=number, ids=ids, type=random.choice(TYPES),
                account_id=random.choice([None, None, f"A{(who + random.randrange(8) // 7) % 4}"]),
                issue_id=random.choice([None, f"case-{who % 5}"]), channel=random.choice(["web", "phone"]),
                sentiment=random.choice([None, random.uniform(-1, 1)]),
                amount_minor=random.randrange(9999), currency=random.choice(["EUR", "CHF"]),
            )
        )  # fmt: skip
    random.shuffle(history)
    return history


def assert_accounts_equal(replay: Replay, live: Deployment) -> None:
    expected = {(a["tenant"], a["account_id"]): (a["members"], a["state_hash"]) for a in replay.accounts()}
    found = live.query("SELECT tenant, account_id, members, state_hash FROM accounts")

    assert {(tenant, account): (members, digest) for tenant, account, members, digest in found} == expected


def test_accounts_equal_replay_through_merges_moves_a_killed_and_a_second_worker(
    tansu, clickhouse, tmp_path
) -> None:
    events = business(people=24, events=1200, seed=11)
    last = touchpoint("last", minute=9999, ids=[("customer_id", "C1")], account_id="only")
    moved = touchpoint("moved", minute=10_000, ids=[("customer_id", "C1")], account_id="A0")
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live:
        send([*events[:600], last], live)
        wait_for_states(live)
        live.workers[0].kill()
        send(events[600:], live)
        live.workers[0].start()
        live.start_worker()
        live.wait_idle()
        assert_accounts_equal(replayed([*events, last], live), live)
        assert live.query("SELECT count() FROM accounts WHERE account_id = 'only'") == [(1,)]

        send([moved], live)
        live.wait_idle()

        assert_accounts_equal(replayed([*events, last, moved], live), live)
        assert live.query("SELECT count() FROM accounts WHERE account_id = 'only'") == [(0,)]
