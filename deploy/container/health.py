"""The image's health check: exit code 0 if the process answers on its metrics port, 1 and a sentence if not.

TOUCHLINE_METRICS_PORT says where; without one there is nothing to ask, and the process is healthy while it runs. The
file runs alone, without Touchline: a check every few seconds must start fast.
"""

import http.client
import os
import sys
from collections.abc import Mapping

ANSWER_SECONDS = 4.0


def problem(environ: Mapping[str, str]) -> str | None:
    """What is wrong with the process of this environment, as a sentence."""
    port = environ.get("TOUCHLINE_METRICS_PORT", "0")
    if port in ("", "0"):
        return None
    host = environ.get("TOUCHLINE_METRICS_HOST", "127.0.0.1")
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (any address is asked on loopback)
    connection = http.client.HTTPConnection(here, int(port), timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"nothing answers on {here}:{port}: {error}"
    finally:
        connection.close()
    return None if status == http.client.OK else f"{here}:{port}/healthz answers {status}"


if __name__ == "__main__":
    found = problem(os.environ)
    if found is not None:
        sys.exit(found)
