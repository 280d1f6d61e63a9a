"""Sends a message over HTTP: one POST, no redirect, bounded in time and in what is read of the answer."""

import asyncio
import email.utils
import re
import time
from typing import Final

import aiohttp
from yarl import URL

from sinks.webhooks.addresses import AddressError, JudgingResolver, judge_literal
from sinks.webhooks.endpoints import Endpoint
from sinks.webhooks.signing import signed_headers
from sinks.webhooks.verdicts import Reason, Verdict, of_http

#: Of an answer's body no more than this is read: then the connection is closed.
MAX_ANSWER: Final = 16 * 1024
_SHORTEST_SECRET: Final = 8  #: characters; a shorter path keeps nobody out
SHOWN: Final = 200  #: characters of an answer or error that the log keeps
_AGENT: Final = "touchline-webhooks"
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class HttpSender:
    """To one endpoint. It belongs to the event loop that makes it; close it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._url = URL(endpoint.url)
        self._secrets = _secrets_of(endpoint, self._url)
        connector = aiohttp.TCPConnector(
            limit=endpoint.concurrency,
            resolver=None if endpoint.allow_private else JudgingResolver(),
            use_dns_cache=False,
        )
        # no cookies, no proxy of the environment, nothing that the receiver could make it do
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=endpoint.timeout),
        )  # fmt: skip

    async def send(self, webhook_id: str, body: bytes) -> Verdict:
        """One attempt. It never raises but when it is cancelled."""
        endpoint = self._endpoint
        headers = {
            "content-type": "application/json", "user-agent": _AGENT, **dict(endpoint.headers),
            **signed_headers(endpoint.secrets, webhook_id, int(time.time()), body),
        }  # fmt: skip
        try:
            if not endpoint.allow_private:
                judge_literal(self._url.raw_host or "")
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as response:
                text = self._shown((await _beginning(response)).decode("utf-8", "replace"))
                return of_http(
                    response.status, text, retry_after(response.headers.get("Retry-After"), time.time())
                )
        except TimeoutError:
            return Verdict(Reason.TIMEOUT, None, f"no answer within {endpoint.timeout:g} s")
        except AddressError as error:
            return Verdict(Reason.ADDRESS, None, shown(str(error)), sent=False)
        except aiohttp.ClientConnectorError as error:
            cause = error.os_error
            if isinstance(cause, AddressError):
                return Verdict(Reason.ADDRESS, None, shown(str(cause)), sent=False)
            return Verdict(Reason.UNREACHABLE, None, self._shown(str(error)), sent=False)
        except aiohttp.InvalidURL as error:
            return Verdict(Reason.UNREACHABLE, None, type(error).__name__, sent=False)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # the connection may have ended after the receiver had it all
            return Verdict(Reason.UNREACHABLE, None, self._shown(f"{type(error).__name__}: {error}"))

    async def close(self) -> None:
        """Close its connections."""
        await self._session.close()
        await asyncio.sleep(0)

    def _shown(self, text: str) -> str:
        """As `shown`, without what the endpoint keeps secret: receivers and errors may repeat it."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return shown(text)


def _secrets_of(endpoint: Endpoint, url: URL) -> list[str]:
    """What no log may show, the longest first: of Slack, for one, the path is the secret."""
    values = [value for _, value in endpoint.headers]
    texts = {endpoint.url, str(url), url.raw_path_qs, url.path_qs, url.raw_path, url.path, *values}
    texts |= {value.split()[-1] for value in values}
    return sorted((text for text in texts if len(text) >= _SHORTEST_SECRET), key=len, reverse=True)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The beginning of a body. A longer one is not read to its end: its connection is closed."""
    found = b""
    while len(found) < MAX_ANSWER:
        part = await response.content.read(MAX_ANSWER - len(found))
        if not part:
            return found
        found += part
    response.close()
    return found


def shown(text: str) -> str:
    """The beginning of a text on one line, which can be encoded."""
    return _CONTROLS.sub(" ", text)[:SHOWN].strip().encode("utf-8", "replace").decode()


def retry_after(header: str | None, now: float) -> int | None:
    """The pause that a Retry-After header asks for, in ms: seconds, or until an HTTP date. None if it says nothing."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return int(text[:9]) * 1000
    try:
        until = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return max(0, int((until.timestamp() - now) * 1000))
