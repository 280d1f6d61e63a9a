"""A real browser with analytics.js: a page of another origin, with only the host changed."""

import http.server
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.integration.collecting import CLIENTS, Collector, collector, node_clients
from tests.integration.parts import deployment

pytestmark = [pytest.mark.sandbox, pytest.mark.clients]

BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome", "chrome")
COUNT = 100


class Site(http.server.ThreadingHTTPServer):
    """Serves the page and the library from loopback; what the page posts is in `said`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Pages)
        self.said: queue.Queue[tuple[str, str]] = queue.Queue()


class Pages(http.server.SimpleHTTPRequestHandler):
    def translate_path(self, path: str) -> str:
        name = Path(path.partition("?")[0]).name
        if name == "browser.html":
            return str(CLIENTS / name)
        return str(node_clients() / "node_modules/@segment/analytics-next/dist/umd" / name)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert isinstance(self.server, Site)
        self.server.said.put((self.path, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def page(running: Collector, folder: Path, count: int) -> Iterator[Site]:
    """A browser that shows the page."""
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(
            f"needs one of {', '.join(BROWSERS)} on PATH (Debian: apt-get install chromium-headless-shell)"
        )
    site = Site()
    threading.Thread(target=site.serve_forever, daemon=True).start()
    query = urlencode({"collector": running.url, "key": "key-browser", "count": count})
    url = f"http://127.0.0.1:{site.server_address[1]}/browser.html?{query}"
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'browser'}"]
    with (folder / "browser.log").open("wb") as log:
        browser = subprocess.Popen(
            [program, *options, "--remote-debugging-port=0", url], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield site
        finally:
            browser.kill()
            browser.wait()
            site.shutdown()
            site.server_close()


def test_a_pages_visitor_becomes_a_customer_and_stays_one_person(tansu, clickhouse, tmp_path: Path) -> None:
    with (
        deployment(tansu, clickhouse, log_dir=tmp_path) as live,
        collector(live, tmp_path, "browser") as running,
    ):
        started = time.monotonic()
        with page(running, tmp_path, 0) as site:
            wait_for_rows(live, 1)
            print(f"seconds from the start of the browser to its first row: {time.monotonic() - started:.1f}")
            assert site.said.get(timeout=60) == ("/done", "5")
        live.wait_idle()

        rows = live.query("SELECT type, channel, profile_id, campaign FROM touchpoints_current ORDER BY type")
        assert [row[0] for row in rows] == ["group", "identify", "order_placed", "page_view", "product_view"]
        assert {row[1] for row in rows} == {"web"}
        assert len({row[2] for row in rows}) == 1
        assert rows[2][3] == "spring"
        known = live.query("SELECT DISTINCT identifier_type, profile_id FROM identity_current")
        assert {kind for kind, _ in known} == {"customer_id", "cookie", "email"}
        assert {profile for _, profile in known} == {rows[0][2]}


def test_a_page_loses_and_doubles_nothing_when_the_collector_is_killed(
    tansu, clickhouse, tmp_path: Path
) -> None:
    with (
        deployment(tansu, clickhouse, log_dir=tmp_path) as live,
        collector(live, tmp_path, "browser") as running,
    ):
        with page(running, tmp_path, COUNT) as site:
            wait_for_rows(live, 10)
            for _ in range(2):
                running.process.kill()
                time.sleep(0.2)
                running.start()
                time.sleep(0.3)
            assert site.said.get(timeout=60)[0] == "/done"
            wait_for_rows(live, COUNT)
        live.wait_idle()

        types = [row[0] for row in live.query("SELECT type FROM touchpoints_current")]
        assert sorted(types) == sorted(f"ride_{number}" for number in range(COUNT))


def wait_for_rows(live, count: int) -> None:
    deadline = time.monotonic() + 90
    while live.query("SELECT count() FROM touchpoints_current")[0][0] < count:
        assert time.monotonic() < deadline, f"fewer than {count} touchpoints in 90 s"
        time.sleep(0.1)
