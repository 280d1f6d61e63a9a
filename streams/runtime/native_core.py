"""The native core (streams/native): whether it is installed, and whether it is chosen in this process.

docs/native-core.md says what it does.
"""

from typing import Any

from schemas.encoding.codec import read_touchpoints_by
from schemas.keys import find_partitions_by
from schemas.profile_ids import hash_names_by

try:
    import touchline_native
except ImportError:  # not built: `make install` needs cargo for it
    touchline_native = None

_chosen: list[Any] = [None]


def installed_core() -> Any:
    """The module of the native core; None if it is not installed."""
    return touchline_native


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
