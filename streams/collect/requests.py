"""What the shell needs of an HTTP request: its key, its body, where it comes from. aiohttp's is meant throughout."""

import asyncio
import base64
import binascii
from typing import Final

from aiohttp import web
from aiohttp.client_exceptions import ClientPayloadError
from aiohttp.http_exceptions import HttpProcessingError

from schemas.http.problems import ProblemError
from streams.collect.inflate import inflate, too_large
from streams.collect.intake import Reservation
from streams.collect.limits import Limits

_CHUNK: Final = 64 * 1024


def write_key_of(request: web.Request) -> str | None:
    """The write key: the user of Basic authorisation, a Bearer token, or X-Write-Key. Raises ProblemError 401."""
    header = request.headers.get("Authorization", "")
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(rest.strip(), validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError) as error:
            raise unauthorised("the Authorization header is not Basic with base64") from error
        return key or None
    if scheme.lower() == "bearer":
        return rest.strip() or None
    return request.headers.get("X-Write-Key") or None


async def body_of(
    request: web.Request, limits: Limits, held: Reservation, encoding: str | None = None
) -> bytes:
    """The whole body, inflated; what it takes is held. `encoding` is used where the headers name none.

    Raises ProblemError 400, 408, 413, 415 or 503.
    """
    if (request.content_length or 0) > limits.body_bytes:
        raise too_large(limits.body_bytes)
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.content.iter_chunked(_CHUNK):
                size += len(part)
                if size > limits.body_bytes:
                    raise too_large(limits.body_bytes)
                held.hold(size)
                parts.append(part)
    except TimeoutError as error:
        raise ProblemError(
            408, "slow_body", f"the body took more than {limits.body_seconds:.0f} seconds"
        ) from error
    except (ClientPayloadError, HttpProcessingError, ConnectionError, web.RequestPayloadError) as error:
        raise ProblemError(400, "broken_body", "the body ended before it was whole") from error
    said = request.headers.get("Content-Encoding", "").strip().lower()
    body = inflate(b"".join(parts), said or encoding or "", limits.inflated_bytes)
    held.hold(max(size, len(body)))
    return body


def unauthorised(detail: str) -> ProblemError:
    """The refusal of a request without a write key."""
    return ProblemError(401, "no_write_key", detail)
