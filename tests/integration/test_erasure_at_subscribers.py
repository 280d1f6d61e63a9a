"""An erasure reaches what subscribers hold of a person: tables on disk, the outbox of webhooks, the delivery log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.ports import free_port
from deploy.sandbox import Process
from deploy.sdk import JourneyTable
from schemas import topics
from schemas.encoding.record_types import WEBHOOK_MESSAGE
from tests.integration.parts import TOUCHLINE, Deployment, deployment
from tests.integration.serving import serve
from tests.integration.test_erasure import touchline
from tests.integration.test_pipeline import send
from tests.support.http_serving import QuietHandler, serving
from tests.support.touchpoints import touchpoint
from tests.support.traces import records_of

pytestmark = pytest.mark.sandbox

#: Endpoints that take everything, refuse everything, and are not there.
HOOK = """
[endpoints.{name}]
url = "{url}"
signals = ["*"]
changes = ["stage"]
unsigned = true
allow_private = true
"""
PATIENT = 'retry = { first = "1h", longest = "1h", give_up = "3d" }\n'
PATIENCE = 240.0


class Receiver(QuietHandler):
    def respond(self) -> None:
        self.body()
        self.answer(200 if self.path == "/take" else 400)


@contextmanager
def webhooks(live: Deployment, folder: Path) -> Iterator[Process]:
    with serving(Receiver) as url:
        config = folder / "webhooks.toml"
        hooks = [
            ("takes", f"{url}/take"),
            ("refuses", f"{url}/refuse"),
            ("away", f"http://127.0.0.1:{free_port()}/"),
        ]
        config.write_text("".join(HOOK.format(name=name, url=url) for name, url in hooks) + PATIENT)
        command = [*TOUCHLINE, "webhooks", "run", "--from-start", "--table", str(folder / "hooks.db")]
        env = {**live.settings.to_env(), "TOUCHLINE_WEBHOOKS": str(config)}
        service = Process("webhooks", command, folder / "webhooks.log", env)
        service.start()
        try:
            yield service
        finally:
            service.stop(timeout=10)


def until(holds: Callable[[], Any], service: Process) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert service.alive, service.log_tail(20)
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s\n{service.log_tail(20)}"
        time.sleep(1)


def files_with(needle: bytes, *folders: Path) -> list[Path]:
    paths = [path for folder in folders for path in folder.iterdir() if path.is_file()]
    return [path for path in paths if needle in path.read_bytes()]


def outbox(live: Deployment) -> list[Any]:
    """The messages that the outbox holds now."""
    newest = {record.key: record.value for record in records_of(live.settings, topics.WEBHOOKS_CHANGELOG)}
    return [WEBHOOK_MESSAGE.decode(value) for value in newest.values() if value is not None]


@pytest.mark.soak
def test_an_erased_person_leaves_the_tables_of_subscribers_the_outbox_and_the_delivery_log(
    tansu, clickhouse, tmp_path
) -> None:
    folders = {name: tmp_path / name for name in ("serve", "sdk", "hooks")}
    for folder in folders.values():
        folder.mkdir()
    names = {name: [("cookie", f"{name}-cookie"), ("customer_id", f"{name}-1")] for name in ("hers", "his")}
    with (
        deployment(tansu, clickhouse, log_dir=tmp_path) as live,
        serve(live, folders["serve"]) as service,
        JourneyTable(live.settings, store=folders["sdk"]) as table,
        webhooks(live, folders["hooks"]) as hooks,
    ):
        send(
            [
                touchpoint(f"{name}-event-{number}", minute=number, ids=ids, type=type_)
                for name, ids in names.items()
                for number, type_ in enumerate(("product_view", "add_to_cart", "order_placed"))
            ],
            live,
        )  # fmt: skip
        live.wait_idle()
        found = service.get("/v1/profiles/cookie/hers-cookie").body
        profile = found["profile_id"]
        table.wait(PATIENCE)
        until(lambda: table.get(profile) is not None, hooks)

        def settled() -> bool:
            statuses = {
                (one["endpoint"], one["status"]) for one in outbox(live) if one["profile_id"] == profile
            }
            return statuses >= {("takes", "DELIVERED"), ("refuses", "DEAD"), ("away", "PENDING")}

        until(settled, hooks)
        live.wait_idle()
        client = live.client()
        deliveries = "SELECT count() FROM webhook_deliveries WHERE toString(profile_id) = %(profile)s"
        until(lambda: client.execute(deliveries, {"profile": profile})[0][0] > 0, hooks)
        assert all(files_with(b"hers-event-0", folder) for folder in folders.values())
        assert any(b"hers-event" in one["payload"] for one in outbox(live))

        receipt = touchline(live, "forget", "customer_id:hers-1", "--person", "--json")
        assert [one["done"] for one in receipt["receipts"]] == [True, True]

        assert service.get("/v1/profiles/cookie/hers-cookie").status == 404
        assert service.get(f"/v1/profiles/{profile}").status == 404
        until(lambda: table.get(profile) is None, hooks)
        assert table.get_by_identifier("cookie", "hers-cookie") is None
        # within half a minute, on disk, too
        until(lambda: files_with(b"hers-event", *folders.values()) == [], hooks)
        assert all(files_with(b"his-event-0", folder) for folder in folders.values()), "nobody else's"

        until(lambda: not any(b"hers-" in one["payload"] for one in outbox(live)), hooks)
        left = [one for one in outbox(live) if one["profile_id"] == profile]
        assert [one for one in left if one["kind"].endswith(".changed")] == []
        assert {one["wanted"] for one in left} <= {"RETRACTED"}
        logged = deliveries + " AND wanted = 'RAISED'"
        until(lambda: client.execute(logged, {"profile": profile})[0][0] == 0, hooks)
        client.disconnect()
