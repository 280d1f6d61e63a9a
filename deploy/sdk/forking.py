"""Keeps this process from forking at the wrong moment.

A child that is forked while a thread takes a spool's locks would hold them, too, and not know it.
"""

import encodings.idna  # noqa: F401 (else a socket imports it in a thread, and a child may have half of it)
import os
import threading
from typing import Final

#: Held while locks are taken, until the publisher knows of them and a child can let them go.
FORK_LOCK: Final = threading.Lock()

os.register_at_fork(
    before=FORK_LOCK.acquire, after_in_parent=FORK_LOCK.release, after_in_child=FORK_LOCK.release
)
