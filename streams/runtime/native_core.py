"""The native core (streams/native): whether it is installed, and whether it is chosen in this process.

docs/native-core.md says what it does.
"""

from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from schemas.encoding.codec import read_touchpoints_by
from schemas.keys import find_partitions_by
from schemas.profile_ids import hash_names_by

try:
    import touchline_native
except ImportError:  # not built: `make install` needs cargo for it
    touchline_native = None

#: The sources that came with this Python package: `make install` builds the core from them.
SOURCES: Final = Path(__file__).parents[1] / "native"

_chosen: list[Any] = [None]


def installed_core() -> Any:
    """The module of the native core; None if it is not installed."""
    return touchline_native


def why_foreign() -> str:
    """Why the installed core is none of this Python package, as a clause; "" if it is, or if none is installed.

    Versions do not tell: a core may have been built before a change of this version, or left over by another checkout.
    """
    if touchline_native is None:
        return ""
    wanted = sources_digest(SOURCES)
    if not wanted:
        return "the sources that tell whether it belongs to this Touchline are missing (reinstall touchline)"
    if getattr(touchline_native, "SOURCES", "") != wanted:
        return "it was built from other sources than these (`make install` builds it again)"
    return ""


@cache
def sources_digest(folder: Path) -> str:
    """The digest of a core's sources, as streams/native/build.rs gives it to the core; "" if they are not there."""
    names = [name for name in ("Cargo.toml", "build.rs") if (folder / name).is_file()]
    names += [path.relative_to(folder).as_posix() for path in (folder / "src").rglob("*.rs")]
    digest = blake2b(digest_size=16)
    for name in sorted(names):
        content = (folder / name).read_bytes()
        digest.update(f"{name}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest() if names else ""


def core_digest() -> str:
    """The digest of the sources that the installed core was built from; "" if none is installed."""
    return str(getattr(touchline_native, "SOURCES", ""))


def chosen_core() -> Any:
    """The module of the native core, if it is installed and chosen; None if Python does the work."""
    return _chosen[0]


def choose_native(chosen: bool) -> None:
    """Let the native core read, stitch and fold touchpoints in this process, if it is installed, or Python.

    Folds that there are stay what they are.
    """
    core = _chosen[0] = touchline_native if chosen else None
    read_touchpoints_by(None if core is None else core.read_record)
    find_partitions_by(None if core is None else core.partition_of)
    hash_names_by(None if core is None else core.uuid5_text)


def native_version() -> str:
    """The version of the native core; "" if it is not installed."""
    return "" if touchline_native is None else str(touchline_native.__version__)
