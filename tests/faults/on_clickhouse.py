"""Faults of ClickHouse, of the way there, and of the loader."""

import time
from functools import partial

from tests.faults.requests import insert_into
from tests.faults.trial import CLICKHOUSE, Trial

INSERTS = insert_into("raw_touchpoints")


def killed_before_commit(trial: Trial) -> None:
    """2: kill -9 between the rows and the commit, four times. Needs the variant that kills itself."""
    trial.feed()
    for _ in range(trial.of(2, 4)):
        before = trial.aim("before-commit")
        trial.recovered()
        # rows can be seen before the batch is complete, and only then comes the commit
        trial.meet("before-commit", before)


def down(trial: Trial) -> None:
    """10: ClickHouse is killed and comes back after a minute."""
    trial.feed()
    trial.wait_loading()
    trial.resting.add(CLICKHOUSE)
    trial.arena.clickhouse.kill()
    trial.sleep(trial.of(3, 12, 60))
    trial.arena.clickhouse.start()
    trial.resting.clear()
    trial.recovered()
    if "holding the data back" not in _log(trial):
        trial.problems.append("the loader's log does not say that it waits")


def down_past_the_poll_interval(trial: Trial) -> None:
    """11: down for longer than the loader may go without polling. Needs the variant with a short interval."""
    _outage(trial, trial.of(7, 15))


def down_and_rebalance(trial: Trial) -> None:
    """12: during an outage a second loader joins and the first is killed."""
    trial.feed()
    trial.wait_loading()
    trial.arena.clickhouse_proxy.refuse()
    first = trial.live.loader
    assert first is not None
    trial.wait(lambda: "holding the data back" in _log(trial), "the loader notices")
    second = trial.live.process("loader-2", "load")
    try:
        second.start()
        trial.wait(lambda: "holding the data back" in second.log_tail(50), "the second loader notices")
        trial.resting.add(first.name)
        first.kill()
        trial.arena.clickhouse_proxy.calm()
        trial.recovered()
        trial.resting.clear()
        trial.sleep(1)
    finally:
        second.stop()
    trial.recovered()


def cut_in_an_insert(trial: Trial) -> None:
    """13: the connection is cut within an insert of touchpoints, and within the repetition of it, six times."""
    trial.feed()
    trial.wait_loading()
    proxy = trial.arena.clickhouse_proxy
    for _ in range(trial.of(2, 6)):
        share = trial.random.random()
        # a connection that has idled is opened anew at once: the second cut is the one that fails the insert
        trial.catch(proxy, partial(proxy.cut_requests, INSERTS, 2, share), 2)
        trial.recovered()


def answer_lost(trial: Trial) -> None:
    """14: the server has applied an insert of touchpoints, its answer never arrives, four times."""
    # a merge would hide what was stored twice
    trial.live.query("SYSTEM STOP MERGES touchpoints")
    trial.live.query("SYSTEM STOP MERGES raw_touchpoints")
    trial.feed()
    trial.wait_loading()
    proxy = trial.arena.clickhouse_proxy
    for _ in range(trial.of(2, 4)):
        trial.catch(proxy, partial(proxy.lose_answers, INSERTS, 1), 1)
        trial.recovered()


def refusing(trial: Trial) -> None:
    """15: the table takes nothing: too many parts, then a disk that is full, then a broken constraint."""
    trial.feed()
    trial.wait_loading()
    query = trial.live.query
    too_many, disk = "parts_to_throw_insert", "min_free_disk_bytes_to_perform_insert"
    refusals = (
        (
            f"MODIFY SETTING {too_many} = 1, parts_to_delay_insert = 1",
            f"RESET SETTING {too_many}, parts_to_delay_insert",
        ),
        (f"MODIFY SETTING {disk} = 1000000000000000", f"RESET SETTING {disk}"),
        ("ADD CONSTRAINT refused CHECK 1 = 0", "DROP CONSTRAINT refused"),
    )
    for refuse, accept in refusals:
        query("SYSTEM STOP MERGES touchpoints")
        query(f"ALTER TABLE raw_touchpoints {refuse}")
        seen = _log(trial).count("holding the data back")
        trial.send_probes()
        trial.wait(lambda: _log(trial).count("holding the data back") > seen, f"a refusal: {refuse}", 30)  # noqa: B023
        trial.sleep(trial.of(0.2, 2))
        query(f"ALTER TABLE raw_touchpoints {accept}")
        query("SYSTEM START MERGES touchpoints")
        trial.recovered()


def _outage(trial: Trial, seconds: float) -> None:
    trial.feed()
    trial.wait_loading()
    trial.arena.clickhouse_proxy.refuse()
    trial.sleep(seconds)
    trial.arena.clickhouse_proxy.calm()
    trial.recovered(time.monotonic())


def _log(trial: Trial) -> str:
    assert trial.live.loader is not None
    return trial.live.loader.log_tail(1000)
