"""What `@segment/analytics-next` asks its `cdnURL` for before it sends: the settings of a write key.

Segment's CDN serves them. The collector serves them too, so that a page changes the host and nothing else.
"""

import re
from typing import Any, Final

from schemas.http.problems import ProblemError

PATH: Final = "/v1/projects/{write_key}/settings"
_HOST: Final = re.compile(r"[A-Za-z0-9._~-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")


def settings_document(write_key: str, host: str, scheme: str, forwarded: str) -> dict[str, Any]:
    """The settings that send all events to `host`, where they were asked for. Raises ProblemError 400.

    `forwarded` is X-Forwarded-Proto, by which a proxy in front says that it did TLS; empty without one. No destination
    beside the collector is listed, and the library is told to send no metrics of its own to Segment.
    """
    if not _HOST.fullmatch(host):
        raise ProblemError(400, "bad_host", "the Host header is no host and port")
    protocol = "https" if forwarded.partition(",")[0].strip().lower() == "https" else scheme
    return {
        "integrations": {
            "Segment.io": {"apiKey": write_key, "apiHost": f"{host}/v1", "protocol": protocol},
        },
        "plan": {},
        "remotePlugins": [],
        "metrics": {"sampleRate": 0},
        "analyticsNextEnabled": True,
    }
