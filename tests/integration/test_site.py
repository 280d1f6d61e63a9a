"""The documentation site: built without a warning, whole without the network, and read on a phone."""

import http.server
import os
import re
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from deploy.site.assemble import assemble
from tests.integration.browsing import chromium, window
from tests.integration.collecting import python_clients
from tests.support.http_serving import QuietHandler, serving

pytestmark = pytest.mark.clients

SCREENSHOTS = Path(__file__).parents[2] / "build" / "site-screenshots"
READ = ("index", "tutorial", "deployment", "troubleshooting", "reference/settings", "questions")
#: Elements by which a page loads something, and the attribute that says what.
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
#: A link that a browser only shows: where else the page may be, and the like.
NOT_LOADED = {"canonical", "prev", "next", "alternate"}


class Loaded(HTMLParser):
    """What a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in LOADS and given.get("rel") not in NOT_LOADED:
            self.found.append(given.get(LOADS[tag]) or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("site")
    config = assemble(build)
    mkdocs = python_clients("docs.txt") / "bin" / "mkdocs"
    done = subprocess.run(
        [mkdocs, "build", "--strict", "-f", config],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if line.startswith(("WARNING", "ERROR"))], (
        done.stderr
    )
    return build / "site"


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler, QuietHandler):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given, directory=str(site))

    with serving(Quiet) as url:
        yield f"{url}/"


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = [path for path in site.rglob("*.html") if path.name != "asyncapi.html"]
    assert len(pages) > 25
    for page in pages:
        parser = Loaded()
        parser.feed(page.read_text())
        assert [what for what in parser.found if re.match(r"(https?:)?//", what)] == [], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", sheet.read_text()), sheet


def test_a_broken_link_would_stop_the_build(tmp_path: Path) -> None:
    config = assemble(tmp_path)
    page = tmp_path / "docs" / "index.md"
    page.write_text(page.read_text() + "\n[gone](nowhere.md)\n")
    mkdocs = python_clients("docs.txt") / "bin" / "mkdocs"
    done = subprocess.run([mkdocs, "build", "--strict", "-f", config], capture_output=True, text=True)
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr


def test_it_is_read_on_a_phone_and_on_a_desk(address: str) -> None:
    """No page is wider than the screen, whatever its tables are; pictures go to build/site-screenshots."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for look in ("phone", "light", "dark"):
            for name in READ:
                with window(browser, address, look) as tab:
                    page = tab.open(f"{name}.html")
                    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                    page.screenshot(path=SCREENSHOTS / f"{name.replace('/', '-')}-{look}.png")
                    assert wide <= 0, f"{name} is {wide} pixels wider than the {look} screen"
        with window(browser, address, "phone") as tab:
            page = tab.open("index.html")
            page.locator("label.md-header__button[for=__search]").first.click()
            page.locator("input.md-search__input").press_sequentially("tombstone")
            page.locator(".md-search-result__item").first.wait_for(timeout=60_000)
            page.screenshot(path=SCREENSHOTS / "search-phone.png")
            assert "glossary" in page.locator(".md-search-result__list").inner_html()
