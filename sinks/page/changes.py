"""The stream of changes to an open page: server-sent events that say what to ask for again."""

import asyncio
import json
from typing import Final

from aiohttp import web

from schemas.errors import UnavailableError
from sinks.page.hub import Hub

#: Seconds between two messages to one open page at least, and of silence after which it gets a sign of life.
PAUSE_SECONDS: Final = 0.25
ALIVE_SECONDS: Final = 15.0
MOST_OPEN: Final = 500  #: streams of changes; a browser needs one, however many tabs it has open


async def stream_changes(request: web.Request, hub: Hub, tenant: str) -> web.StreamResponse:
    """Tell what changed in a tenant, at most a few times a second, until the page is left or the hub closes.

    Raises UnavailableError if MOST_OPEN pages are open already.
    """
    if len(hub) >= MOST_OPEN:
        raise UnavailableError(f"{MOST_OPEN} pages are open already: close some")
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    with hub.subscribe(tenant) as subscription:
        try:
            await response.prepare(request)
            await response.write(b"retry: 1000\n\n")
            while not hub.closed:
                pending = await subscription.take(ALIVE_SECONDS)
                if pending is None:
                    await response.write(b": alive\n\n")
                    continue
                data = json.dumps(pending.message(), separators=(",", ":"))
                await response.write(f"event: change\ndata: {data}\n\n".encode())
                await asyncio.sleep(PAUSE_SECONDS)
        except ConnectionError:
            pass  # the page was left
    return response
