"""Scripts, styles and the chart library, each under an address with its content's hash, compressed once at start."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.errors import UnavailableError

_OWN: Final = Path(__file__).with_name("static")
#: The chart library, as `make install` has npm put it there.
CHARTS: Final = Path(__file__).parents[2] / "node_modules" / "echarts" / "dist" / "echarts.esm.min.mjs"
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """One file as it is served."""

    name: str
    content_type: str
    body: bytes
    zipped: bytes


class Assets:
    """All files, below one address that changes with any of them: scripts import each other by relative names.

    Raises UnavailableError if the chart library is not installed.
    """

    def __init__(self, charts: Path = CHARTS) -> None:
        if not charts.is_file():
            raise UnavailableError(
                f"the page's charts are not installed: {charts} is not there; run `make install`"
            )
        files = {file.name: file.read_bytes() for file in sorted(_OWN.iterdir()) if file.suffix in _TYPES}
        files["echarts.js"] = charts.read_bytes()
        digest = hashlib.sha256(b"".join(name.encode() + body for name, body in files.items())).hexdigest()
        self._root = f"/static/{digest[:16]}/"
        self._by_path = {self._root + name: _asset(name, body) for name, body in files.items()}

    def url(self, name: str) -> str:
        """The address of a file, for templates."""
        return self._root + name

    def find(self, path: str) -> Asset | None:
        """The file at an address."""
        return self._by_path.get(path)

    @property
    def zipped_bytes(self) -> int:
        """What a browser loads of all files together."""
        return sum(len(asset.zipped) for asset in self._by_path.values())


def _asset(name: str, body: bytes) -> Asset:
    return Asset(name, _TYPES[Path(name).suffix], body, gzip.compress(body, 9, mtime=0))
