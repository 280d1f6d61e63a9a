"""A policy that changes under load: two workers, restarts, kill -9, and in the end everything as replay has it."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.sandbox import Process
from schemas.catalogue import Catalogue
from schemas.records import Touchpoint
from streams.identity.policy.load import load
from streams.journeys.rules.rules import JourneyRules
from streams.replay import Replay
from tests.integration.parts import TOUCHLINE, Deployment, deployment, on_kafka
from tests.integration.processes import kill_at_work
from tests.integration.test_pipeline import assert_live_equals, send, simulated
from tests.support.touchpoints import touchpoint

pytestmark = [pytest.mark.sandbox, pytest.mark.soak]

#: Under it, two customers who share a tablet are one person. The built-in policy is the stricter one.
LOOSE = "[types.customer_id]\nunique = false\n"


def family(number: int, minute: int) -> Touchpoint:
    """A customer at the tablet that four of a family share."""
    ids = [("cookie", f"tablet-{number // 4}"), ("customer_id", f"F-{number}")]
    return touchpoint(f"family-{number}-{minute}", minute=minute, type="product_view", ids=ids)


def replayed(live: Deployment, events: list[Touchpoint], policy: str) -> Replay:
    settings = live.settings
    rules = load(policy, settings.pseudonym_secret(), settings.pseudonym_key_id)
    replay = Replay(rules, Catalogue.load(""), JourneyRules.load(""))
    for event in events:
        replay.add(event)
    return replay


def restart(live: Deployment, number: int, how: int, policy: str) -> None:
    """A worker ends, and another one with a policy takes its place."""
    if how == signal.SIGKILL:
        live.workers[number].kill()
    else:
        assert live.workers[number].stop() == 0
    log = live.logs / f"next-worker-{number}-{time.monotonic_ns()}.log"
    env = live.settings.to_env() | {"TOUCHLINE_IDENTITY_POLICY": policy}
    live.workers[number] = Process(f"next worker {number}", [*TOUCHLINE, "worker"], log, env)
    live.workers[number].start()


def applying(live: Deployment, policy: str, *options: str) -> subprocess.Popen[str]:
    env = live.settings.to_env() | {"TOUCHLINE_IDENTITY_POLICY": policy}
    return subprocess.Popen(
        [*TOUCHLINE, "policy", "apply", *options, "--json"],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def applied(live: Deployment, policy: str, *options: str) -> dict[str, object]:
    process = applying(live, policy, *options)
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    found: dict[str, object] = json.loads(out)
    return found


@contextmanager
def load_of(events: list[Touchpoint], live: Deployment) -> Iterator[None]:
    """Publish events in small groups beside what the body does."""

    def publish_all() -> None:
        for start in range(0, len(events), 50):
            send(events[start : start + 50], live)
            time.sleep(0.2)

    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(publish_all)
        yield
        publishing.result()


def assert_equals(live: Deployment, events: list[Touchpoint], policy: str) -> None:
    live.wait_idle(300)
    assert_live_equals(replayed(live, events, policy), live)
    assert live.query("SELECT count() FROM dead_letters") == [(0,)]


@on_kafka
def test_a_stricter_policy_splits_under_load_and_a_looser_one_unites_again(
    broker, clickhouse, tmp_path: Path
) -> None:
    loose = tmp_path / "loose.toml"
    loose.write_text(LOOSE)
    people = simulated(people=200, events=3_000, seed=21)
    first = [*people[:1_500], *(family(number, 1) for number in range(400))]
    later = [*people[1_500:], *(family(number, 2) for number in range(0, 400, 3))]
    with deployment(broker, clickhouse, workers=2, log_dir=tmp_path, identity_policy=str(loose)) as live:
        send(first, live)
        assert_equals(live, first, str(loose))

        plan = applied(live, "", "--dry-run")
        assert plan["splits"] >= 100  # every tablet
        assert not plan["applied"]

        with load_of(later[: len(later) // 2], live):
            refused = applying(live, "")  # the workers have the old policy still
            _, error = refused.communicate(timeout=300)
            assert refused.returncode == 1
            assert "start them all again with it" in error
            restart(live, 0, signal.SIGTERM, "")
            restart(live, 1, signal.SIGTERM, "")
            kill_at_work(applying(live, ""), 2)
            restart(live, 0, signal.SIGKILL, "")
            done = applied(live, "")
            assert done["applied"]
        assert_equals(live, [*first, *later[: len(later) // 2]], "")
        again = applied(live, "", "--dry-run")
        assert (again["components"], again["identifiers"]) == (0, 0)

        with load_of(later[len(later) // 2 :], live):
            restart(live, 0, signal.SIGTERM, str(loose))
            restart(live, 1, signal.SIGTERM, str(loose))
            applied(live, str(loose))
        assert_equals(live, [*first, *later], str(loose))


@on_kafka
def test_a_policy_that_prepares_otherwise_is_refused_and_the_sentence_names_why(
    broker, clickhouse, tmp_path: Path
) -> None:
    blocking = tmp_path / "blocking.toml"
    blocking.write_text('[blocked]\nvalues = ["tablet-0"]\n')
    with deployment(broker, clickhouse, workers=1, loader=False, log_dir=tmp_path) as live:
        send([family(number, 1) for number in range(4)], live)
        live.wait_idle(reconciling=False)
        refused = applying(live, str(blocking))
        _, error = refused.communicate(timeout=120)
        assert refused.returncode != 0
        assert "(blocked)" in error
