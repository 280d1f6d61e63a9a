"""One person's rights: what is stored is shown, forgotten as a whole, and an unknown identifier is called unknown."""

import json
import stat
import subprocess
from pathlib import Path

import pytest

from sinks.clickhouse.read.subject import Subject
from streams.identity.policy.load import load
from tests.integration.parts import TOUCHLINE, Deployment, deployment
from tests.integration.test_pipeline import send
from tests.support.touchpoints import START, touchpoint

pytestmark = pytest.mark.sandbox

ANN, BEN, MAIL = ("customer_id", "C1"), ("customer_id", "C2"), ("email", "ann@shop.de")
PHONE, LAPTOP, TABLET = (("cookie", name) for name in ("ann-phone", "ann-laptop", "tablet"))
EVENTS = [
    touchpoint("a0", minute=0, ids=[PHONE], session_id="s-1"),
    touchpoint("a1", minute=1, ids=[PHONE, ANN], type="add_to_cart"),
    touchpoint("a2", minute=2, ids=[LAPTOP, ANN], type="issue_opened", channel="phone", issue_id="case-1"),
    touchpoint("a3", minute=3, ids=[ANN, MAIL], type="order_placed", consent={"mail": "GRANTED"}),
    touchpoint("t1", minute=4, ids=[TABLET, ANN], type="login"),
    touchpoint("b1", minute=50, ids=[TABLET, BEN], type="login"),
    touchpoint("b2", minute=51, ids=[TABLET], type="product_view"),
]


def touchline(live: Deployment, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*TOUCHLINE, *arguments], env=live.env(), capture_output=True, text=True)


def answer(live: Deployment, *arguments: str) -> dict:
    done = touchline(live, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal(live: Deployment, *arguments: str) -> str:
    done = touchline(live, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.soak
def test_a_person_is_shown_and_forgotten_as_a_whole_and_a_stranger_is_called_unknown(
    tansu, clickhouse, tmp_path: Path
) -> None:
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live:
        for part in (
            EVENTS[:1],
            EVENTS[1:5],
            EVENTS[5:],
        ):  # Ann becomes one person before Ben takes the tablet
            send(part, live)
            live.wait_idle()

        unknown_is_called_unknown(live)
        old = merged_profiles_are_followed(live)
        everything_stored_is_exported(live, old, tmp_path / "ann.json")
        a_dry_run_counts_and_changes_nothing(live)
        forgetting_the_person_leaves_only_what_others_did(live)


def unknown_is_called_unknown(live: Deployment) -> None:
    for arguments in (
        ("forget", "email:who@shop.de"),
        ("forget", "email:who@shop.de", "--person"),
        ("forget", "email:who@shop.de", "--dry-run"),
        ("export", "email:who@shop.de"),
        ("unlink", "email:who@shop.de", "customer_id:C1"),
        ("unlink", "customer_id:C1", "email:who@shop.de"),
        ("explain", "email:who@shop.de", "customer_id:C1"),
    ):
        assert "email:who@shop.de was never seen in tenant 'default'" in refusal(live, *arguments)
    assert "never seen in tenant 'acme'" in refusal(live, "forget", "customer_id:C1", "--tenant", "acme")
    assert "cookie:x and cookie:y were never seen" in refusal(live, "explain", "cookie:x", "cookie:y")
    assert "no person has the profile p" in refusal(live, "export", "profile:p")
    assert live.query("SELECT count() FROM erasure_receipts") == [(0,)]


def merged_profiles_are_followed(live: Deployment) -> str:
    (present,) = (row[0] for row in live.query(
        "SELECT profile_id FROM identity_current WHERE identifier_value = 'C1'"
    ))  # fmt: skip
    merged = [one for (others,) in live.query("SELECT others FROM profile_changes FINAL WHERE kind = 'MERGED'")
              for one in others if one != present]  # fmt: skip
    assert merged
    for old in merged:
        found = touchline(live, "journey", f"profile:{old}", "--json")
        assert json.loads(found.stdout)["profile_id"] == present
        assert json.loads(found.stdout)["merged_from"] == old
        assert f"profile {old} was merged into {present}" in found.stderr
    straight = touchline(live, "journey", f"profile:{present}", "--json")
    assert json.loads(straight.stdout)["merged_from"] is None
    assert straight.stderr == ""
    return merged[0]


def everything_stored_is_exported(live: Deployment, old: str, path: Path) -> None:
    found = answer(live, "export", "email: ANN\u200b@Shop.de")
    stored_mail = load("", live.settings.pseudonym_secret(), "k1").usable(
        [{"type": "email", "value": MAIL[1]}]
    )[0]
    assert {(one["type"], one["value"]) for one in found["known_as"]} == {
        ANN, PHONE, LAPTOP, TABLET, ("email", stored_mail["value"]),
    }  # fmt: skip
    assert [one["event_id"] for one in found["touchpoints"]] == ["a0", "a1", "a2", "a3", "t1"]
    assert found["touchpoints"][0]["session_id"] == "s-1"
    assert found["touchpoints"][0]["occurred_at"] == "2026-01-01T00:00:00.000Z"
    assert {one["event_id"] for one in found["evidence"]} == {"a1", "a2", "a3", "t1", "b1"}
    assert found["consent"] == {"mail": "GRANTED"}
    assert found["journey"]["orders"] == 1
    assert found["journey"]["profile_id"] == found["profile_id"]
    assert {one["kind"] for one in found["profile_changes"]} >= {"MERGED"}
    assert found["signals"] == [one for one in found["signals"] if one["profile_id"] == found["profile_id"]]

    done = touchline(live, "export", f"profile:{old}", "--out", str(path))
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = json.loads(path.read_text())
    assert written["touchpoints"] == found["touchpoints"]


def a_dry_run_counts_and_changes_nothing(live: Deployment) -> None:
    one = answer(live, "forget", "customer_id:C1", "--dry-run", "--json")
    assert one["dry_run"] is True
    (only,) = one["would_erase"]
    assert (only["identifier"], only["touchpoints"], only["identity_links"]) == ("customer_id:C1", 4, 4)
    whole = answer(live, "forget", "customer_id:C1", "--person", "--dry-run", "--json")["would_erase"]
    assert len(whole) == 5
    tablet = next(row for row in whole if row["identifier"] == "cookie:tablet")
    assert tablet["until"] == "2026-01-01T00:49:59.999Z"
    assert live.query("SELECT count() FROM erasure_receipts") == [(0,)]


def forgetting_the_person_leaves_only_what_others_did(live: Deployment) -> None:
    receipts = answer(live, "forget", "customer_id: C1\u200b", "--person", "--json")["receipts"]
    assert len(receipts) == 5
    assert all(one["done"] for one in receipts)
    live.wait_idle()
    assert live.query("SELECT event_id FROM touchpoints_current ORDER BY event_id") == [("b1",), ("b2",)]
    with Subject(live.settings.clickhouse(), "default") as subject:
        assert subject.seen([ANN, PHONE, LAPTOP, BEN, TABLET]) == {BEN, TABLET}
        assert subject.counts(*PHONE, START + 10**9) == {
            "touchpoints": 0, "identity_links": 0, "touchpoints of others": 0,
        }  # fmt: skip
    assert "never seen in tenant 'default', or was erased" in refusal(live, "forget", "customer_id:C1")
    unseen = answer(live, "forget", "customer_id:C1", "--unseen", "--json")
    assert unseen["done"] is True
