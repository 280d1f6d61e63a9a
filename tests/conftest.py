"""Property tests judge what is true, not how fast a machine finds out; in CI they try the same examples each time."""

import os

from hypothesis import HealthCheck, settings

from streams.runtime.native_core import choose_native

# the width of the terminal that a test happens to run in is none of its business
os.environ.pop("COLUMNS", None)

settings.register_profile(
    "touchline",
    max_examples=int(os.environ.get("PROPERTY_EXAMPLES", "50")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("touchline")

# the core of agents in this process: Python's, which defines what is right, unless the native one is asked for
choose_native(os.environ.get("TOUCHLINE_CORE") == "native")
