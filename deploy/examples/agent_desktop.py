"""An agent's desktop: follows one caller live, and the survivor when the caller's profile is merged.

    python deploy/examples/agent_desktop.py --identifier phone:+4915110000012

It looks the caller up once and then listens: to the states of that person, and to merges and splits. It asks nothing
again on a timer. Standard library only; docs/subscribers.md has the contract that it keeps.
"""

import argparse
import http.client
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

AGAIN_SECONDS: Final = 1.0  #: between two attempts to reach the service
SILENCE_SECONDS: Final = (
    30.0  #: the service says something every 10 seconds: after three times that it is gone
)
CONTACTS: Final = 5


class Gone(Exception):  # noqa: N818 (the name of the status)
    """The service cannot go on from an event id without a gap."""


class Service:
    """What the desktop asks of `touchline serve`."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._place = parts.hostname or "127.0.0.1", parts.port
        self._tls = parts.scheme == "https"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def look_up(self, kind: str, value: str) -> dict[str, Any] | None:
        """The person behind an identifier, or None. It goes in the body: addresses are kept in logs."""
        body = json.dumps({"who": [{"type": kind, "value": value}]})
        with self._request("POST", "/v1/profiles:lookup", body) as response:
            found: dict[str, Any] = json.load(response)["results"][0]
        return found if found["status"] == 200 else None

    def listen(self, stream: str, profile: str, last_id: str) -> Iterator[tuple[str, str, Any]]:
        """Events from an id on, or from now: the id, the name and the data. Signs of life have no name."""
        path = f"/v1/streams/{stream}?profile={quote(profile)}"
        with self._request("GET", path, last_id=last_id) as response:
            name, data = "", ""
            while line := response.readline():
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "id":
                    last_id = value
                elif field == "event":
                    name = value
                elif field == "data":
                    data = value
                elif not field and not value:
                    yield last_id, name, json.loads(data) if data else None
                    name, data = "", ""

    def _request(self, method: str, path: str, body: str | None = None, last_id: str = "") -> "_Response":
        kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
        connection = kind(*self._place, timeout=SILENCE_SECONDS)
        headers = {**self._headers, "Content-Type": "application/json"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        if response.status == 200:
            return _Response(connection, response)
        said = response.read().decode(errors="replace")
        connection.close()
        if response.status == 410:
            raise Gone(said)
        if response.status in (401, 403, 400, 422):
            raise SystemExit(f"agent_desktop: the service refuses: {json.loads(said)['detail']}")
        raise OSError(f"the service answers {response.status}")


class _Response:
    """A response that closes its connection."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection, self._response = connection, response

    def __enter__(self) -> http.client.HTTPResponse:
        return self._response

    def __exit__(self, *_: object) -> None:
        self._connection.close()


@dataclass(frozen=True)
class News:
    """Something came from a stream about a profile. The name is empty if it only began (anew) to listen."""

    profile: str
    stream: str
    name: str
    said: Any


class Listener(threading.Thread):
    """Puts what a stream says about a profile into a queue, through interruptions, without a gap."""

    def __init__(self, service: Service, stream: str, profile: str, news: "queue.Queue[News]") -> None:
        super().__init__(daemon=True)
        self._service, self._stream, self._profile, self._news = service, stream, profile, news
        self.stopped = False

    def run(self) -> None:
        """Listen until `stopped`."""
        last_id = ""
        while not self.stopped:
            began = not last_id
            try:
                for seen, name, said in self._service.listen(self._stream, self._profile, last_id):
                    if self.stopped:
                        return
                    if name or began:
                        self._news.put(News(self._profile, self._stream, name, said))
                    last_id, began = seen, False
            except Gone:
                last_id = ""  # what was missed is looked up once it listens again
            except (OSError, http.client.HTTPException):
                pass  # the service is away: go on with the last id
            time.sleep(AGAIN_SECONDS)


class Desktop:
    """The caller on the screen."""

    def __init__(self, service: Service, kind: str, value: str, *, live: bool) -> None:
        self._service, self._kind, self._value, self._live = service, kind, value, live
        self._news: queue.Queue[News] = queue.Queue()
        self._listeners: list[Listener] = []
        self._profile = ""
        self._shown = -1  #: version of the state on the screen
        self._said = ""

    def run(self) -> None:
        """Follow the caller, for ever."""
        while not self._follow(self._find()):
            time.sleep(AGAIN_SECONDS)
        while True:
            self._take(self._news.get())

    def _find(self) -> dict[str, Any] | None:
        """The caller as the service knows them now; waits for the service if it is away."""
        while True:
            try:
                return self._service.look_up(self._kind, self._value)
            except (OSError, http.client.HTTPException) as error:
                self._say(f"waiting for the service: {error}")
                time.sleep(AGAIN_SECONDS)

    def _follow(self, found: dict[str, Any] | None) -> bool:
        """Show who was found; listen to that profile from now on if it is another one than before."""
        if found is None:
            self._say(f"nobody is known by this {self._kind} yet")
            return False
        if found["profile_id"] != self._profile:
            if self._profile:
                self._say(f"profile {self._profile} is now {found['profile_id']}")
            for listener in self._listeners:
                listener.stopped = True
            self._profile, self._shown = found["profile_id"], -1
            self._listeners = [
                Listener(self._service, stream, self._profile, self._news) for stream in ("states", "changes")
            ]
            for listener in self._listeners:
                listener.start()
        self._show(found["state"])
        return True

    def _take(self, news: News) -> None:
        if news.profile != self._profile:
            return  # of a profile that was followed before
        if news.stream == "states" and news.name == "state":
            self._show(news.said)
        else:
            # a merge, a split, the end of the profile, or a stream that began: what came before is looked up
            self._follow(self._find())

    def _show(self, state: dict[str, Any]) -> None:
        self._said = ""
        if state["version"] <= self._shown:
            return  # highest version wins
        self._shown = state["version"]
        if self._live:
            sys.stdout.write("\x1b[2J\x1b[H")
        sys.stdout.write("\n".join(screen(state)) + "\n\n")
        sys.stdout.flush()

    def _say(self, text: str) -> None:
        """Say something, once for as long as it stays the same."""
        if text == self._said:
            return
        self._said = text
        sys.stdout.write(f"-- {text}\n")
        sys.stdout.flush()


def screen(state: dict[str, Any]) -> Iterator[str]:
    """The lines about a person, of at most 80 characters."""
    yield f"{state['profile_id']}  ·  {state['stage'] or 'no stage yet'}"
    names = ", ".join(sorted({one["type"] for one in state["identifiers"]}))
    yield f"{state['touchpoints']} touchpoints, known by {names}"[:80]
    mood = "unknown" if state["sentiment"] is None else f"{state['sentiment']:+.1f}"
    yield f"friction {state['friction']:.1f}  ·  sentiment {mood}  ·  orders {state['orders']}"
    yield "open issues:" if state["open_issues"] else "no open issues"
    for issue in state["open_issues"]:
        yield f"  {issue['issue_id']}: since {at(issue['opened_at'])}, {issue['contacts']} contacts"[:80]
    yield "last contacts:"
    for touch in reversed(state["recent"][-CONTACTS:]):
        yield f"  {at(touch['occurred_at'])}  {touch['channel']:<12} {touch['type']}"[:80]


def at(milliseconds: int) -> str:
    """A time of the contract, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(milliseconds / 1000))


def main() -> None:
    """Read the arguments and follow the caller."""
    parser = argparse.ArgumentParser(description="Follow one caller live.")
    parser.add_argument("--identifier", required=True, metavar="TYPE:VALUE", help="as the caller says it")
    parser.add_argument("--url", default="http://127.0.0.1:8490", help="where `touchline serve` listens")
    parser.epilog = "An API key is read from the variable API_KEY."
    chosen = parser.parse_args()
    kind, colon, value = chosen.identifier.partition(":")
    if not (kind and colon and value):
        parser.error("write --identifier TYPE:VALUE, like phone:+4915110000012")
    service = Service(chosen.url, os.environ.get("API_KEY", ""))
    try:
        Desktop(service, kind, value, live=sys.stdout.isatty()).run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
