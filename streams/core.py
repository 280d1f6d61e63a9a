"""Which core does the work of a worker: the native one, where it is installed, or Python's (docs/native-core.md).

Their results are equal, byte by byte. A worker may change from one to the other at any restart.
"""

import logging
from typing import Final

from schemas.catalogue import Catalogue
from schemas.errors import SettingsError
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.native_fold import why_not
from streams.runtime.native_core import choose_native, installed_core, native_version

log: Final = logging.getLogger("touchline.worker")


def choose_core(wanted: str, catalogue: Catalogue, rules: JourneyRules) -> str:
    """Choose the core of this process, log and return which one it is: `native 0.1.0`, or `python`.

    `wanted` is the setting TOUCHLINE_CORE. Raises SettingsError if it is `native` and the native core cannot run.
    """
    reason = "TOUCHLINE_CORE is python" if wanted == "python" else why_not(catalogue, rules)
    if reason and wanted == "native":
        raise SettingsError(f"TOUCHLINE_CORE is native, but the native core cannot run: {reason}")
    choose_native(not reason)
    if reason:
        # one that is there and cannot run is a mistake of whoever installed it, and costs CPU until it is mended
        mistaken = wanted != "python" and installed_core() is not None
        log.log(
            logging.WARNING if mistaken else logging.INFO,
            "core: python, and not native: %s; an event costs about twice as much", reason,
        )  # fmt: skip
        return "python"
    log.info("core: native %s", native_version())
    return f"native {native_version()}"
