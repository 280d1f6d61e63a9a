"""The live page without a browser: it answers, escapes, guards tenants, and tells of changes as they happen."""

import html
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest

from deploy.grafana.dashboards import BOARDS
from sinks.page.questions import NAVIGATION, PANELS
from tests.integration.paging import Answered, PageProcess, page
from tests.integration.parts import Deployment, deployment
from tests.integration.processes import wait_until
from tests.integration.test_pipeline import send
from tests.support.touchpoints import touchpoint

pytestmark = pytest.mark.sandbox

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
DAY = 24 * 60  #: minutes
ANN, BEN, MAIL = ("customer_id", "C1"), ("customer_id", "C2"), ("email", "Ann.Lee@Shop.de")
PHONE, EVIL = ("cookie", "ann-phone"), ("cookie", HOSTILE)


def events(now: float) -> list:
    return [
        touchpoint("a1", minute=now, ids=[PHONE], type="add_to_cart", campaign=HOSTILE),
        touchpoint("a2", minute=now, ids=[ANN, MAIL], type="issue_opened", channel="phone", issue_id=HOSTILE,
                   account_id=HOSTILE, experiments={HOSTILE: HOSTILE}),
        touchpoint("a3", minute=now, ids=[ANN], type=HOSTILE, channel=HOSTILE[:60], source=HOSTILE[:60]),
        touchpoint("a4", minute=now, ids=[EVIL], type="product_view"),
        touchpoint("b1", minute=now, ids=[BEN], type="product_view", tenant="acme"),
        touchpoint("c1", minute=now - 40 * DAY, ids=[BEN], type="issue_opened", tenant="slow", issue_id="I1"),
        touchpoint("c2", minute=now, ids=[ANN], type="add_to_cart", tenant="slow"),
        touchpoint("c3", minute=now - DAY, ids=[PHONE], type="add_to_cart", tenant="slow"),
    ]  # fmt: skip


def test_the_page_answers_escapes_guards_tenants_and_tells_of_a_merge(
    tansu, clickhouse, tmp_path: Path
) -> None:
    now = (time.time() * 1000 - 1_767_225_600_000) / 60_000
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live, page(live, tmp_path) as running:
        send(events(now), live)
        live.wait_idle()

        every_page_and_panel_answers(running)
        every_question_of_grafana_is_answered(live)
        markup_is_text_everywhere(running)
        headers_allow_nothing_of_others(running)
        people_are_found_as_they_say_who_they_are(running)
        a_tenant_sees_its_own(running)
        tiles_count_who_waits_whenever_seen_and_no_cart_that_is_still_open(running)
        a_merge_is_told_and_shown(running, live, now)


class Foreign(HTMLParser):
    """Elements and attributes that no template has: they would come from a value that was not escaped."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    @classmethod
    def in_(cls, text: str) -> list[str]:
        parser = cls()
        parser.feed(text)
        return parser.found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag in ("img", "iframe", "style") or (tag == "script" and "src" not in names):
            self.found.append(tag)
        self.found += [name for name in names if name.startswith("on") or name == "style"]


def every_page_and_panel_answers(running: PageProcess) -> None:
    assert running.get("/").status == 303
    for address in NAVIGATION:
        found = running.get(f"/t/default/{address}?range=all")
        assert found.status == 200, (address, found.text[:500])
    for name in PANELS:
        found = running.get(f"/t/default/panels/{name}?range=all&id=x")
        assert found.status == 200, (name, found.text)
    assert running.get("/t/default/nowhere").status == 404
    assert running.get("/t/default/panels/nothing", X_Touchline_Part="1").status == 404
    assert running.get("/ready").status == 200


def every_question_of_grafana_is_answered(live: Deployment) -> None:
    """As Grafana's ClickHouse data source sends it, with its macros put in."""
    macros = {
        "${tenant:sqlstring}": "'default'",
        "$__fromTime_ms": "fromUnixTimestamp64Milli(1767225600000)",
        "$__toTime_ms": f"fromUnixTimestamp64Milli({int(time.time() * 1000)})",
    }
    for board in BOARDS:
        for asked in board.panels:
            query = asked.text
            for macro, value in macros.items():
                query = query.replace(macro, value)
            if asked.source == "clickhouse":
                assert "$" not in query
                live.query(query)


def markup_is_text_everywhere(running: PageProcess) -> None:
    person = profile(running, f"cookie:{HOSTILE}")
    pages = [f"/t/default/{address}?range=all" for address in NAVIGATION]
    pages += [f"/t/default/panels/{name}?range=all&id={person}" for name in PANELS]
    pages += [f"/t/default/person?id={person}", f"/t/default/person?id={profile(running, 'customer_id:C1')}"]
    for field in (
        "channel",
        "source",
        "campaign",
        "account",
        "stage",
        "experiment",
        "id",
        "kind",
        "order",
        "range",
    ):
        pages.append(f"/t/default/people?range=all&{field}={quote(HOSTILE)}")
    pages += [f"/t/default/account?id={quote(HOSTILE)}", f"/t/default/person?id={quote(HOSTILE)}"]
    shown = 0
    for path in pages:
        text = running.get(path).text
        assert not Foreign.in_(text), path
        shown += html.escape(HOSTILE)[:20] in text
    assert shown > 10, "it is shown, as text"


def headers_allow_nothing_of_others(running: PageProcess) -> None:
    first = running.get("/t/default/")
    script = re.search(r'src="(/static/[^"]+app\.js)"', first.text)
    assert script
    for found in (first, running.get("/t/default/nowhere"), running.get(script[1]), running.get("/health")):
        policy = found.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert found.headers["X-Content-Type-Options"] == "nosniff"
        assert found.headers["Set-Cookie"] is None
    assert first.headers["Cache-Control"] == "no-store"
    assert "immutable" in running.get(script[1]).headers["Cache-Control"]
    assert not re.search(r"<(script|style)(?![^>]*src=)[^>]*>\s*\S", first.text), "nothing inline"
    assert "style=" not in first.text
    # another site's page, or a name that somebody points to 127.0.0.1, reads nothing
    assert (
        running.get("/t/default/panels/totals", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="cors").status
        == 403
    )
    assert running.get("/t/default/", Host="evil.example").status == 421
    assert running.get("/t/default/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200
    assert (
        running.get(
            "/t/default/find", {"who": "x"}, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="cors"
        ).status
        == 403
    )


def profile(running: PageProcess, who: str, tenant: str = "default") -> str:
    found = find(running, who, tenant)
    assert found.status == 303, (who, found.text)
    return found.headers["Location"].partition("?id=")[2]


def find(running: PageProcess, who: str, tenant: str = "default") -> Answered:
    return running.get(f"/t/{tenant}/find", {"who": who})


def people_are_found_as_they_say_who_they_are(running: PageProcess) -> None:
    ann = profile(running, "customer_id:C1")
    assert {
        profile(running, who)
        for who in ("email: ANN.lee@shop.de", "ann.lee@shop.de", "C1", ann, f"profile:{ann}")
    } == {ann}
    person = running.get(f"/t/default/person?id={ann}")
    assert person.status == 200
    assert "issue_opened" in person.text
    assert "ann.lee@shop.de" not in person.text.lower(), "a pseudonym stays one"
    for nobody in ("email:who@shop.de", "cookie:null", "nobody", "x:" + "y" * 590):
        assert find(running, nobody).status == 404
    assert find(running, "C1", "acme").status == 404
    assert running.get("/t/default/person?id=").status == 404


def a_tenant_sees_its_own(running: PageProcess) -> None:
    assert running.get("/?tenant=acme").headers["Location"] == "/t/acme/"
    assert 'data-v="1"' in running.get("/t/acme/panels/totals?range=all").text
    ann = profile(running, "customer_id:C1")
    assert running.get(f"/t/acme/person?id={ann}").status == 404


def tiles_count_who_waits_whenever_seen_and_no_cart_that_is_still_open(running: PageProcess) -> None:
    shown = dict(
        re.findall(r'data-k="(\w+)" data-v="(\d+)"', running.get("/t/slow/panels/totals?range=30d").text)
    )
    assert {name: shown[name] for name in ("people", "waiting", "overdue", "abandoned", "touchpoints")} == {
        "people": "2", "waiting": "1", "overdue": "1", "abandoned": "1", "touchpoints": "2",
    }  # fmt: skip


def a_merge_is_told_and_shown(running: PageProcess, live: Deployment, now: float) -> None:
    phone, ann = profile(running, "cookie:ann-phone"), profile(running, "customer_id:C1")
    assert phone != ann
    with running.changes() as told:
        assert next(told)["health"] == {"clickhouse": True, "kafka": True}
        send([touchpoint("m1", minute=now, ids=[PHONE, ANN], type="login")], live)
        concerned: set[str] = set()
        while not {phone, ann} <= concerned:
            concerned |= set(next(told)["profiles"] or ())
        # the decision is told before the states that follow from it: a page asks again at each change
        while not (
            moved := [
                each for each in (phone, ann) if "X-Touchline-Profile" in part_of(running, each).headers
            ]
        ):
            next(told)
    # four touchpoints by the journey's own count; Kafka tells nothing of the rows that the loader moves seconds later
    wait_until(lambda: 'data-k="touchpoints" data-v="4"' in part_of(running, moved[0]).text)
    merged = part_of(running, moved[0])
    assert {moved[0], merged.headers["X-Touchline-Profile"]} == {phone, ann}
    assert "was merged into this one" in merged.text
    assert merged.text.count('data-c="place"') == 4, "the timeline has what the journey counts, at once"


def part_of(running: PageProcess, each: str) -> Answered:
    return running.get(f"/t/default/panels/person?id={each}", X_Touchline_Part="1")
