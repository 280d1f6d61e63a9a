"""Gather the sources of the documentation site: `python -m deploy.site.assemble build` fills the folder build.

They are docs/, the project's own pages beside the README, and the reference. A link to a file of the source tree, which
the site does not have, becomes the file's name.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from deploy.site.reference import PAGES

ROOT: Final = Path(__file__).parents[2]
#: Pages of the site that stand at the top of the source tree.
TOP: Final[Mapping[str, str]] = MappingProxyType(
    {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "report.md"}
)
#: Section → its pages, by who reads them. A page that stands nowhere comes under OTHERS.
SECTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Start": "index tutorial glossary",
        "Sources": "collector sdk mappings",
        "Analysts": "analytics questions connect page journeys",
        "Subscribers": "subscribers subscribers-kafka webhooks compatibility journey-screen prediction",
        "Operators": "deployment sizing upgrades versions disaster runbook tracing security threat-model erasure limits"
        " performance troubleshooting",
        "Contributors": "design delivery identity identity-performance native-core contributing report changelog",
        "Reference": "reference/settings reference/commands reference/topics reference/schemas reference/views metrics",
    }
)
OTHERS: Final = "More"
_LINK: Final = re.compile(r"(!?)\[((?:[^\]\\]|\\.)*)\]\(([^)#\s]*)(#[\w-]+)?\)")


def assemble(build: Path) -> Path:
    """Make everything that mkdocs reads below `build`, and return its configuration. What was there is deleted."""
    pages = build / "docs"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(ROOT / "docs", pages)
    for name, page in TOP.items():
        shutil.copy(ROOT / name, pages / page)
    for path in pages.glob("*.md"):
        at = ROOT if path.name in TOP.values() else ROOT / "docs"
        path.write_text(within_site(path.read_text(), at))
    (pages / "reference").mkdir()
    for name, make in PAGES.items():
        (pages / "reference" / f"{name}.md").write_text(make())
    shutil.copy(Path(__file__).with_name("site.css"), pages)
    config = build / "mkdocs.yml"
    base = os.path.relpath(Path(__file__).with_name("mkdocs.yml"), build)
    # JSON is YAML
    lines = (f"INHERIT: {base}", "docs_dir: docs", "site_dir: site", f"nav: {json.dumps(navigation(pages))}")
    config.write_text("\n".join(lines) + "\n")
    return config


def navigation(pages: Path) -> list[dict[str, Any]]:
    """The sections with those of their pages that are there, and after them what no section names."""
    there = {str(path.relative_to(pages).with_suffix("")) for path in pages.rglob("*.md")}
    named = {
        section: [page for page in listed.split() if page in there] for section, listed in SECTIONS.items()
    }
    others = sorted(there - {page for listed in named.values() for page in listed})
    found = [{section: [f"{page}.md" for page in listed]} for section, listed in named.items()]
    return found + ([{OTHERS: [f"{page}.md" for page in others]}] if others else [])


def within_site(text: str, at: Path) -> str:
    """A document's text, read at a folder of the source tree, with links that work within the site."""

    def linked(match: re.Match[str]) -> str:
        picture, shown, target, anchor = match.groups()
        if not target or ":" in target:
            return match[0]
        place = (at / target).resolve()
        if place.parent == ROOT and place.name in TOP:
            return f"{picture}[{shown}]({TOP[place.name]}{anchor or ''})"
        if place.is_relative_to(ROOT / "docs"):
            return f"{picture}[{shown}]({place.relative_to(ROOT / 'docs')}{anchor or ''})"
        return str(shown)

    return _LINK.sub(linked, text)


if __name__ == "__main__":
    assemble(Path(sys.argv[1]))
