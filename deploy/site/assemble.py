"""Gather the sources of the documentation site: `python -m deploy.site.assemble FOLDER` makes the folder anew.

They are docs/, the project's own pages beside the README, and the reference. A link to a file of the source tree, which
the site does not have, becomes the file's name.
"""

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from deploy.site.reference import PAGES

ROOT: Final = Path(__file__).parents[2]
#: Pages of the site that stand at the top of the source tree.
TOP: Final[Mapping[str, str]] = MappingProxyType(
    {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "report.md"}
)
_LINK: Final = re.compile(r"(!?)\[((?:[^\]\\]|\\.)*)\]\(([^)#\s]*)(#[\w-]+)?\)")


def assemble(folder: Path) -> None:
    """Make the folder, with everything that mkdocs reads. What was in it is deleted."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder)
    for name, page in TOP.items():
        shutil.copy(ROOT / name, folder / page)
    for path in folder.glob("*.md"):
        at = ROOT if path.name in TOP.values() else ROOT / "docs"
        path.write_text(within_site(path.read_text(), at))
    (folder / "reference").mkdir()
    for name, make in PAGES.items():
        (folder / "reference" / f"{name}.md").write_text(make())
    shutil.copy(Path(__file__).with_name("site.css"), folder)


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
        return shown

    return _LINK.sub(linked, text)


if __name__ == "__main__":
    assemble(Path(sys.argv[1]))
