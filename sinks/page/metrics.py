"""What the page measures; schemas/metrics/page.py says what each metric means."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from schemas.measures import counter, gauge, histogram, show
from schemas.metrics import page as metrics
from sinks.page.hub import Hub

REQUESTS: Final = counter(metrics.REQUESTS)
SECONDS: Final = histogram(metrics.SECONDS)
OPEN: Final = gauge(metrics.OPEN)
SOURCES: Final = gauge(metrics.SOURCES)


@web.middleware
async def measured(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Count requests and their time by route. Not by address: it names a person."""
    resource = request.match_info.route.resource
    route = "none" if resource is None else resource.canonical
    began, status = time.monotonic(), 500
    try:
        response = await handler(request)
    except web.HTTPException as answer:
        status = answer.status
        raise
    else:
        status = response.status
        return response
    finally:
        REQUESTS.labels(route, status).inc()
        SECONDS.labels(route).observe(time.monotonic() - began)


def refresh(hub: Hub) -> None:
    """Bring the gauges up to date."""
    OPEN.set(len(hub))
    show(SOURCES, (((part,), float(well)) for part, well in hub.health.items()))
