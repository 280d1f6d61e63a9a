"""A real Chromium for the live page, and axe-core that judges it; a test is skipped if they cannot be had."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.tools import node_package

BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome", "chrome")
#: What a person looks at: light and dark on a desk, and a phone.
LOOKS = {
    "light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True},
}
_SHIFTS = """
    window.shifts = 0;
    window.moved = [];
    new PerformanceObserver((list) => {
      for (const each of list.getEntries())
        if (!each.hadRecentInput) {
          window.shifts += each.value;
          window.moved.push(...each.sources.map(({ node }) => node && (node.id || node.className || node.nodeName)));
        }
    }).observe({ type: "layout-shift", buffered: true });
"""


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser, as Playwright drives it."""
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(
            f"needs one of {', '.join(BROWSERS)} on PATH (Debian: apt-get install chromium-headless-shell)"
        )
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install -e '.[browser]'")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """One tab that notes everything that a person's console would complain of."""

    def __init__(self, browser: Any, url: str, look: str = "light", **more: Any) -> None:
        self.context = browser.new_context(**{**LOOKS[look], **more})
        self.context.add_init_script(_SHIFTS)
        self.url = url
        self.complaints: list[str] = []
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(f"{error}\n{error.stack}"))
        self.page.on("console", lambda said: self._console(said))

    def _console(self, said: Any) -> None:
        if said.type in ("error", "warning") and "Failed to load resource" not in said.text:
            self.complaints.append(said.text)

    def open(self, path: str) -> Any:
        """Go to a path and wait until nothing is loading any more."""
        self.page.goto(self.url + path)
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until every panel has its content."""
        from playwright.sync_api import expect

        expect(self.page.locator("[aria-busy=true]")).to_have_count(0, timeout=60_000)
        self.page.wait_for_timeout(700)  # charts are drawn in their own time

    def shifts(self) -> float:
        """The cumulative layout shift since the page was opened."""
        return float(self.page.evaluate("window.shifts"))

    def moved(self) -> list[str]:
        """What moved, by its id or class."""
        return list(self.page.evaluate("window.moved"))

    def violations(self) -> list[str]:
        """What axe-core objects to, one sentence each."""
        self.page.evaluate(axe())
        found = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{each['id']}: {each['help']}: {json.dumps([node['html'][:160] for node in each['nodes'][:3]])}"
            for each in found["violations"]
        ]

    def close(self) -> None:
        self.context.close()


@contextmanager
def window(browser: Any, url: str, look: str = "light", **more: Any) -> Iterator[Window]:
    """A tab of its own; fails if its console complained."""
    opened = Window(browser, url, look, **more)
    try:
        yield opened
        assert opened.complaints == []
    finally:
        opened.close()


def axe() -> str:
    """The source of axe-core, installed the first time."""
    target = node_package("page")
    return (target / "node_modules" / "axe-core" / "axe.min.js").read_text()
