"""`touchline tail` on a broker: what is there, what comes, of whom, and a clean end."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.sandbox import TansuBroker
from schemas import topics
from schemas.encoding.codec import encode
from schemas.keys import profile_key
from schemas.profile_ids import own_profile
from streams.identity.policy.load import load
from tests.integration.parts import TOUCHLINE
from tests.integration.written import SECRET, Log
from tests.support.examples import example

pytestmark = pytest.mark.sandbox

EMAIL = "Ann@Example.org"


@pytest.fixture
def log(tansu: TansuBroker) -> Iterator[Log]:
    found = Log(tansu)
    yield found
    found.close()


def start(log: Log, *arguments: str, **env: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*TOUCHLINE, "tail", *arguments], env={**os.environ, **log.settings.to_env(), **env}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def printed(log: Log, *arguments: str, **env: str) -> list[str]:
    output, errors = (process := start(log, *arguments, **env)).communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    return output.splitlines()


def test_it_shows_what_is_there_since_a_time_and_by_a_condition_in_lines_or_as_json(
    log: Log, tmp_path: Path
) -> None:
    log.state("calm", 1, friction=0.0)
    log.state("angry", 2, friction=9.0)
    time.sleep(1.1)
    between = time.time()
    log.write(topics.JOURNEY_STATES, profile_key("default", "angry"), None, 3)

    lines = [json.loads(one) for one in printed(log, "states", "--from-start", "--until-now", "--json")]
    assert [(one["profile_id"], one["version"], one["gone"]) for one in lines] == [
        ("calm", 1, False),
        ("angry", 2, False),
        ("angry", 3, True),
    ]
    found = printed(log, "states", "--from-start", "--until-now", "--where", "friction > 5", COLUMNS="80")
    assert len(found) == 1
    assert "angry" in found[0]
    assert len(found[0]) <= 80
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(between))
    (gone,) = printed(log, "states", "--since", since, "--until-now", "--profile", "angry")
    assert "gone" in gone


def test_a_person_named_by_a_raw_address_is_followed_through_a_merge_until_ctrl_c(log: Log) -> None:
    policy = load("", SECRET.encode(), "k1")
    (stored,) = policy.usable([{"type": "email", "value": EMAIL}])
    assert EMAIL.lower() not in stored["value"]
    own = own_profile("default", (stored["type"], stored["value"]))
    log.state(own, 1)
    process = start(log, "states", "--identifier", f"email:{EMAIL}", "--from-start", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["profile_id"] == own

    log.own(dict(stored), "survivor", 2)
    time.sleep(2)  # the assignment comes before the states that follow from it, as identity writes it
    log.state("survivor", 3, identifiers=[])
    log.state("stranger", 4, identifiers=[])
    log.write(topics.JOURNEY_STATES, profile_key("default", own), None, 5)
    told = [json.loads(process.stdout.readline()) for _ in range(2)]
    assert {(one["profile_id"], one["gone"]) for one in told} == {("survivor", False), (own, True)}

    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (130, "", "")


def test_changes_by_kind_and_accounts_by_condition(log: Log) -> None:
    change = example("ProfileChanged") | {"kind": "MERGED"}
    account = example("AccountState") | {"open_issues": 2}
    log.write(topics.PROFILE_CHANGES, b"default/p", encode("ProfileChanged", change))
    log.write(topics.ACCOUNT_STATES, b"default/acme", encode("AccountState", account))
    (merged,) = printed(log, "changes", "--kind", "merged", "--since", "1h", "--until-now", "--json")
    assert json.loads(merged)["record"] == change
    where = "open_issues > 0 or 'EUR' in revenue"
    assert len(printed(log, "accounts", "--from-start", "--until-now", "--where", where)) == 1


def test_slips_are_one_sentence(log: Log) -> None:
    for arguments, said in (
        (("state",), "name one of states, signals, changes, accounts"),
        (("states", "--where", "friktion > 5"), "did you mean friction?"),
        (("states", "--since", "1h", "--from-start"), "give one"),
        (("states", "--identifier", "ann"), "write TYPE:VALUE"),
        (("accounts", "--identifier", "email:a@b.de"), "that is for states and signals and changes"),
    ):
        process = start(log, *arguments)
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, output, errors.count("\n")) == (1, "", 1), errors
        assert said in errors
