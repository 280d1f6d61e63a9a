"""The service of subscribers on real parts: people are found, merges are followed, and no event is lost or doubled."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas import topics
from schemas.encoding.codec import decode
from schemas.profile_ids import own_profile
from tests.integration.parts import Deployment, deployment
from tests.integration.serving import Client, ServeProcess, serve
from tests.integration.test_pipeline import send, simulated
from tests.support.touchpoints import touchpoint
from tests.support.traces import records_of

pytestmark = pytest.mark.sandbox

DESKTOP = Path(__file__).parents[2] / "deploy" / "examples" / "agent_desktop.py"
MAIL = {"type": "email", "value": "ann@example.com"}


def until(found: Callable[[], Any], timeout: float = 60.0) -> Any:
    deadline = time.monotonic() + timeout
    while not (value := found()):
        assert time.monotonic() < deadline, f"not within {timeout} s"
        time.sleep(0.1)
    return value


def event(number: int, *identifiers: dict[str, str], **fields: Any) -> Any:
    now = round(time.time() * 1000)
    said = {"occurred_at": now + number, "received_at": now + number, "source": "shop", **fields}
    return touchpoint(f"e{number}", identifiers=list(identifiers), **said)


def cookie(name: str) -> dict[str, str]:
    return {"type": "cookie", "value": name}


def test_a_person_is_found_live_and_followed_through_a_merge(tansu, clickhouse, tmp_path) -> None:
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live, serve(live, tmp_path) as service:
        send([event(1, cookie("first"), type="product_view")], live)
        found = service.get("/v1/profiles/cookie/first?wait=e1&within=10")
        assert found.status == 200
        first = found.body["profile_id"]
        assert first == own_profile("default", ("cookie", "first"))
        again = service.get(f"/v1/profiles/{first}", If_None_Match=found.headers["ETag"])
        assert again.status == 304

        with (tmp_path / "desktop.txt").open("w") as output:
            desktop = subprocess.Popen(
                [sys.executable, str(DESKTOP), "--identifier", "cookie=second", "--url", service.url],
                stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        changes = Client(service.port, "/v1/streams/changes")
        changes.start()
        try:
            assert changes.listening.wait(20)
            shown = (tmp_path / "desktop.txt").read_text
            send([event(2, cookie("second"), type="issue_opened", issue_id="I-7", channel="phone")], live)
            second = service.get("/v1/profiles/cookie/second?wait=e2&within=10").body["profile_id"]
            until(lambda: "I-7" in shown())

            send([event(3, cookie("first"), cookie("second"), MAIL, type="login")], live)
            mail = service.get("/v1/profiles/email/Ann@Example.com?wait=e3&within=10")
            assert mail.status == 200
            survivor = mail.body["profile_id"]
            assert survivor in (first, second)
            gone = first if survivor == second else second
            until(
                lambda: any(
                    said["profile_id"] == survivor and gone in said["others"] for _, said in changes.events
                )
            )

            def old() -> Any:
                answer = service.get(f"/v1/profiles/{gone}").body
                return answer if answer.get("state", {}).get("touchpoints") == 3 else None

            assert until(old)["merged_from"] == gone
            people = {"who": [MAIL, {"profile_id": gone}, cookie("nobody")], "fields": ["touchpoints"]}
            results = service.post("/v1/profiles:lookup", people).body["results"]
            assert [one.get("profile_id") for one in results] == [survivor, survivor, None]
            until(
                lambda: f"{survivor}" in shown() and "3 touchpoints" in shown() and "last contacts" in shown()
            )
            if second == gone:
                assert f"profile {gone} is now {survivor}" in shown()
        finally:
            changes.stop()
            desktop.kill()
            desktop.wait()

        live.wait_idle()
        timeline = service.get(f"/v1/profiles/{gone}/timeline?limit=2").body
        assert [row["event_id"] for row in timeline["touchpoints"]] == ["e3", "e2"]
        older = service.get(f"/v1/profiles/{gone}/timeline?limit=2&before={timeline['next']}").body
        assert [row["event_id"] for row in older["touchpoints"]] == ["e1"]
        evidence = service.get(f"/v1/profiles/{survivor}/evidence").body["evidence"]
        assert {row["outcome"] for row in evidence} == {"united"}
        assert service.get(f"/v1/profiles/{survivor}/signals").status == 200


@pytest.mark.parametrize(
    ("broker", "kills"),
    [("tansu", 1), pytest.param("kafka", 3, marks=[pytest.mark.kafka, pytest.mark.soak])],
    indirect=["broker"],
)
def test_kill_9_of_the_service_costs_no_reader_an_event_and_doubles_none(
    broker, kills, clickhouse, tmp_path
) -> None:
    events = simulated(people=60, events=kills * 500, seed=18)
    with (
        deployment(broker, clickhouse, loader=False, log_dir=tmp_path) as live,
        serve(live, tmp_path) as service,
    ):
        paths = {name: f"/v1/streams/{name}" for name in ("states", "signals", "changes")}
        readers = {name: Client(service.port, path) for name, path in paths.items()}
        control = Client(service.port, paths["signals"], resume=False)
        for client in (*readers.values(), control):
            client.start()
            assert client.listening.wait(20)
        for start in range(0, kills * 500, 500):
            send(events[start : start + 250], live)
            before = len(readers["states"].events)
            until(lambda before=before: len(readers["states"].events) > before)
            service.process.kill()
            send(events[start + 250 : start + 500], live)
            live.wait_idle(reconciling=False)
            service.start()
        assert_told_once(live, readers, service)
        published = Counter(map(text, records(live, topics.JOURNEY_SIGNALS)))
        heard = Counter(text(said) for _, said in control.events)
        assert heard != published, "a reader that forgets its id is told of less"
        control.stop()


def records(live: Deployment, topic: topics.Topic) -> list[Any]:
    return [
        decode(record.value)[1] for record in records_of(live.settings, topic) if record.value is not None
    ]


def text(said: Any) -> str:
    return json.dumps(said)


def assert_told_once(live: Deployment, readers: dict[str, Client], service: ServeProcess) -> None:
    """Signals and changes as often as Kafka has them; of states the newest of each profile, none twice."""
    for name, topic in (("signals", topics.JOURNEY_SIGNALS), ("changes", topics.PROFILE_CHANGES)):
        published = Counter(map(text, records(live, topic)))
        until(lambda name=name, published=published: len(readers[name].events) >= published.total())
        time.sleep(0.5)  # for what would come twice
        assert Counter(text(said) for _, said in readers[name].events) == published
        assert published.total() > 50
    newest: dict[str, tuple[int, bool]] = {}
    for record in records_of(live.settings, topics.JOURNEY_STATES):
        profile = record.key.decode().partition("/")[2]
        version = (
            int(dict(record.headers)["version"])
            if record.value is None
            else decode(record.value)[1]["version"]
        )
        newest[profile] = max(newest.get(profile, (-1, False)), (version, record.value is None))
    told = [(said["profile_id"], said["version"], name == "gone") for name, said in readers["states"].events]
    assert len(told) == len(set(told))
    last = {profile: (version, gone) for profile, version, gone in told}
    assert last == newest
    for profile, (version, gone) in newest.items():
        if not gone:
            assert service.get(f"/v1/profiles/{profile}?fields=version").body["state"]["version"] == version
    assert {status for client in readers.values() for status in client.refused} <= {503}
    for client in readers.values():
        client.stop()
