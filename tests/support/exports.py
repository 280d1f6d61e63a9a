"""Samples of other systems' exports, one for each shipped mapping."""

from pathlib import Path
from typing import Final

EXPORTS: Final = Path(__file__).parents[1] / "unit" / "deploy" / "ingest" / "exports"


def sample(name: str) -> Path:
    """The sample of a shipped mapping."""
    (found,) = (path for path in EXPORTS.glob(f"{name}.*") if not path.name.endswith(".golden.jsonl"))
    return found
