"""Templates: everything that is put into one is escaped, whatever it is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from schemas.words import money, several, span
from sinks.page import filters, words
from sinks.page.assets import Assets
from sinks.page.panels import Panel

_TEMPLATES: Final = Path(__file__).with_name("templates")


class Renderer:
    """Makes HTML from templates/, with autoescaping always on."""

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._environment.globals.update(
            asset=assets.url, cell=words.cell, link=words.link, identifier=words.identifier, iso=words.iso,
            RANGES=filters.RANGES, LABELS=filters.LABELS, unused=filters.unused, money=money, several=several,
            span=span,
        )  # fmt: skip
        self._environment.filters["compact_json"] = _compact

    def html(self, template: str, values: Mapping[str, Any]) -> str:
        """One template, filled."""
        return self._environment.get_template(template).render(values)

    def panel(self, panel: Panel, values: Mapping[str, Any]) -> str:
        """The body of a panel, in its shape."""
        return self.html(f"shapes/{panel.shape}.html", {"panel": panel, **values})


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
