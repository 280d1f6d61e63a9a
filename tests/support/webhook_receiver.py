"""A receiver of webhooks as a process: it verifies, acts once per webhook-id, and remembers that before it answers.

    python -m tests.support.webhook_receiver PORT FILE SECRET [PAUSE_SECONDS]

A line of the file is one accepted request: {"id", "effect", "at", "body"}; `effect` is false for a repeat.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError


class Receiver:
    def __init__(self, path: Path, secret: str, pause: float) -> None:
        self._webhook = Webhook(secret)
        self._pause = pause
        self._seen = {line["id"] for line in received(path)}
        self._file = path.open("ab", buffering=0)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self._pause:
            await asyncio.sleep(self._pause)
        try:
            event = self._webhook.verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            return web.Response(status=401, text=str(error))
        webhook_id = request.headers["webhook-id"]
        line = {"id": webhook_id, "effect": webhook_id not in self._seen, "at": time.time(), "body": event}
        self._file.write(json.dumps(line).encode() + b"\n")
        if not self._pause:
            os.fsync(self._file.fileno())
        self._seen.add(webhook_id)
        return web.Response(status=204)


def received(path: Path) -> list[dict[str, Any]]:
    """What a receiver has accepted, in order; a line that a kill cut off was never answered."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines[:-1] if line.endswith(b"}")]


def main(port: str, path: str, secret: str, pause: str = "0") -> None:
    application = web.Application()
    application.router.add_post("/hook", Receiver(Path(path), secret, float(pause)).take)
    web.run_app(
        application, host="127.0.0.1", port=int(port), access_log=None, print=None, shutdown_timeout=0.1
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
