"""The HTTP server: a request's way through admission to a page, a panel, a person or the stream of changes.

Every request only reads, so there is nothing that a forged one could do.
"""

import asyncio
import logging
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from schemas.errors import SettingsError, TouchlineError, UnavailableError, UnseenError
from schemas.http.answers import Handler
from schemas.http.connections import Connections
from schemas.keys import NAME_PATTERN
from sinks.page.access import Access, RefusedError, Viewer
from sinks.page.assets import Assets
from sinks.page.changes import stream_changes
from sinks.page.filters import Filters
from sinks.page.hub import Hub
from sinks.page.metrics import measured
from sinks.page.panels import Page, Panel
from sinks.page.people import Described
from sinks.page.questions import DETAILS, NAVIGATION, PANELS
from sinks.page.questions.people import PERSON
from sinks.page.reading import Part, Reading
from sinks.page.render import Renderer
from sinks.page.security import HEADERS, KEPT, NOT_KEPT, from_elsewhere

#: Seconds that a page waits for its panels before it is sent; panels that take longer follow one by one.
PATIENCE_SECONDS: Final = 0.25
_CONNECTIONS: Final = 1_000  #: open at a time, also those that ask nothing
_HEAD_SECONDS: Final = 10.0  #: for the first request of a connection to begin
_UNNAMED: Final = "default"  #: the tenant of touchpoints that name none
#: Header of a request for a part of a page: an error is answered by its sentence alone.
PART: Final = "X-Touchline-Part"

log: Final = logging.getLogger("touchline.page")


class PageServer:
    """The routes and what they share."""

    def __init__(self, access: Access, reading: Reading, hub: Hub, assets: Assets) -> None:
        self._access = access
        self._reading = reading
        self._hub = hub
        self._assets = assets
        self._renderer = Renderer(assets)
        busy = "the page has as many connections as it may: close some of them"
        self.connections = Connections(_CONNECTIONS, _HEAD_SECONDS, busy, log)

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[measured, self._told], client_max_size=16 * 1024)
        app.on_response_prepare.append(_secured)
        router = app.router
        router.add_get("/health", self._health)
        router.add_get("/ready", self._ready)
        router.add_get("/static/{hash}/{name}", self._static)
        router.add_get("/", self._root)
        base = "/t/{tenant}"
        router.add_get(f"{base}/live", self._live)
        router.add_post(f"{base}/find", self._find)
        router.add_get(f"{base}/person", self._person)
        router.add_get(f"{base}/panels/{{panel}}", self._panel)
        for address, page in {**NAVIGATION, **DETAILS}.items():
            router.add_get(f"{base}/{address}", self._page(page))
        return app

    @web.middleware
    async def _told(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Admit the viewer; what is refused or goes wrong becomes one sentence."""
        self.connections.asked(request)
        try:
            if request.path not in ("/health", "/ready"):
                self._admit(request)
            return await handler(request)
        except RefusedError as refused:
            return self._refusal(request, refused.status, refused.detail)
        except UnseenError as unseen:
            return self._refusal(request, 404, str(unseen))
        except web.HTTPException as answer:
            if answer.status < 400:
                raise
            known = {
                404: "there is no such page",
                405: "this page only reads",
                413: "the request is too long",
            }
            return self._refusal(request, answer.status, known.get(answer.status, answer.reason))
        except SettingsError as error:
            return self._refusal(request, 500, str(error))
        except TouchlineError as error:
            return self._refusal(request, 503, str(error))
        except Exception:
            log.exception("a request failed on a bug: please report it")
            return self._refusal(request, 500, "this failed on a bug of the page; its log says more")

    def _admit(self, request: web.Request) -> None:
        if from_elsewhere(
            request.headers.get("Sec-Fetch-Site", ""), request.headers.get("Sec-Fetch-Mode", "")
        ):
            raise RefusedError(403, "another site asks for this page's content")
        viewer = self._viewer(request)
        tenant = request.match_info.get("tenant")
        if tenant is not None:
            if not NAME_PATTERN.fullmatch(tenant):
                raise RefusedError(404, "there is no such tenant")
            viewer.require(tenant)

    def _viewer(self, request: web.Request) -> Viewer:
        return self._access.admit(request.remote or "", request.host, request.headers)

    def _refusal(self, request: web.Request, status: int, detail: str) -> web.Response:
        """One sentence: as text for a part of a page, else as a page."""
        if PART in request.headers or status == 421:
            return web.Response(status=status, text=f"{detail[:1].upper()}{detail[1:]}.")
        tenant = request.match_info.get("tenant", "")
        base = f"/t/{tenant}" if NAME_PATTERN.fullmatch(tenant) and status != 403 else ""
        values = self._frame(base, tenant if base else "", "", [tenant] if base else [])
        html = self._renderer.html(
            "refused.html", {**values, "status": status, "detail": detail, "title": "Not shown", "kept": {}}
        )
        return web.Response(status=status, text=html, content_type="text/html")

    def _frame(self, base: str, tenant: str, page: str, tenants: list[str]) -> dict[str, Any]:
        """What every page shows around its content."""
        pages = {each.name: (address, each.title) for address, each in NAVIGATION.items()} if base else {}
        return {"base": base, "tenant": tenant, "page": page, "pages": pages, "tenants": tenants}

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _ready(self, _: web.Request) -> web.Response:
        well = self._hub.health
        status, code = ("ready", 200) if well["clickhouse"] else ("waiting", 503)
        return web.json_response({"status": status, **well}, status=code)

    async def _static(self, request: web.Request) -> web.Response:
        asset = self._assets.find(request.path)
        if asset is None:
            raise web.HTTPNotFound
        zipped = "gzip" in request.headers.get("Accept-Encoding", "")
        headers = {**KEPT, "Vary": "Accept-Encoding", **({"Content-Encoding": "gzip"} if zipped else {})}
        return web.Response(
            body=asset.zipped if zipped else asset.body,
            content_type=asset.content_type,
            charset="utf-8",
            headers=headers,
        )

    async def _root(self, request: web.Request) -> web.Response:
        """To the tenant that was chosen, else to the only or the first one."""
        viewer = self._viewer(request)
        tenant = request.query.get("tenant", "")
        if tenant:
            if not NAME_PATTERN.fullmatch(tenant):
                raise RefusedError(404, "there is no such tenant")
            viewer.require(tenant)
        else:
            tenants = await self._tenants(viewer)
            tenant = _UNNAMED if _UNNAMED in tenants or not tenants else tenants[0]
        raise web.HTTPSeeOther(f"/t/{tenant}/")

    async def _tenants(self, viewer: Viewer) -> list[str]:
        """The tenants that a viewer may choose; those of a login even if they have no data."""
        if viewer.tenants is not None:
            return sorted(viewer.tenants)
        try:
            return await self._reading.tenants()
        except UnavailableError:
            return []

    def _page(self, page: Page) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            tenant, viewer = request.match_info["tenant"], self._viewer(request)
            panels = [panel for panel in page.panels if _shown(panel, viewer)]
            wanted = [self._reading.part(panel, tenant, request.query) for panel in panels]
            parts = await _in_time([asyncio.ensure_future(each) for each in wanted])
            bodies = {
                panel.name: self._body(request, panel, part) if part is not None else ""
                for panel, part in zip(panels, parts, strict=True)
            }
            name = request.query.get("id", "")
            choices = (
                await self._reading.choices(tenant, Filters.parse(request.query)) if page.filters else {}
            )
            return await self._shown(
                request, "page.html", page, title=f"{page.title} {name}" if name else page.title,
                panels=panels, bodies=bodies, with_filters=page.filters, choices=choices, note="",
            )  # fmt: skip

        return handle

    async def _shown(self, request: web.Request, template: str, page: Page, **values: Any) -> web.Response:
        tenant = request.match_info["tenant"]
        tenants = await self._tenants(self._viewer(request))
        frame = self._frame(f"/t/{tenant}", tenant, page.name, sorted({*tenants, tenant}))
        chosen = Filters.parse(request.query)
        known = {name: value for name, value in request.query.items() if name in _ADDRESS}
        query = "&".join(each for each in (chosen.query(), urlencode(known)) if each)
        html = self._renderer.html(
            template, {**frame, "chosen": chosen, "query": query, "kept": chosen.pairs, **values}
        )
        return web.Response(text=html, content_type="text/html")

    def _body(self, request: web.Request, panel: Panel, part: Part) -> str:
        base = f"/t/{request.match_info['tenant']}"
        kept = Filters.parse(request.query).pairs
        return self._renderer.panel(panel, {"rows": part.rows, "base": base, "now": part.at, "kept": kept})

    async def _panel(self, request: web.Request) -> web.Response:
        """A panel's body, as the page puts it in place."""
        tenant, name = request.match_info["tenant"], request.match_info["panel"]
        if name == "person":
            return await self._person_part(request)
        panel = PANELS.get(name)
        if panel is None or not _shown(panel, self._viewer(request)):
            raise web.HTTPNotFound
        part = await self._reading.part(panel, tenant, request.query)
        told = {
            "X-Touchline-Age": f"{part.age_seconds:.3f}",
            "X-Touchline-Next": f"{part.next_seconds:.3f}",
            "X-Touchline-Behind": f"{part.behind_seconds:.3f}",
        }
        return _part(self._body(request, panel, part), told)

    async def _find(self, request: web.Request) -> web.Response:
        """To the person whom an identifier names. It comes in the body: addresses are kept in histories and logs."""
        try:
            form = await request.post()
        # a multipart body without its boundary, one that breaks off, or one that is not encoded as it says
        except (ValueError, web.RequestPayloadError) as error:
            raise RefusedError(400, "this is no search: the form cannot be read") from error
        who = str(form.get("who", "")).strip()
        tenant = request.match_info["tenant"]
        if not who:
            raise web.HTTPSeeOther(f"/t/{tenant}/people")
        profile = await self._reading.find(tenant, who)
        raise web.HTTPSeeOther(f"/t/{tenant}/person?{urlencode({'id': profile})}")

    async def _person(self, request: web.Request) -> web.Response:
        tenant, profile = request.match_info["tenant"], request.query.get("id", "")
        described = await self._reading.person(tenant, profile)
        present = described.document["profile_id"]
        if present != profile:
            raise web.HTTPSeeOther(f"/t/{tenant}/person?{urlencode({'id': present})}")
        body = self._person_body(tenant, described)
        return await self._shown(
            request, "person.html", PERSON, title="Person", profile=profile, body=body, panels=PERSON.panels,
            with_filters=False, note="",
        )  # fmt: skip

    async def _person_part(self, request: web.Request) -> web.Response:
        tenant, profile = request.match_info["tenant"], request.query.get("id", "")
        described = await self._reading.person(tenant, profile)
        html = self._person_body(tenant, described)
        present = described.document["profile_id"]
        return _part(html, {"X-Touchline-Profile": present} if present != profile else {})

    def _person_body(self, tenant: str, described: Described) -> str:
        values = self._reading.person_values(described)
        return self._renderer.html("person-part.html", {**values, "base": f"/t/{tenant}", "kept": {}})

    async def _live(self, request: web.Request) -> web.StreamResponse:
        return await stream_changes(request, self._hub, request.match_info["tenant"])


#: Parameters beside the filters that stay in a page's address and go to its panels.
_ADDRESS: Final = frozenset(("id", "kind", "order"))


async def _secured(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    if "Cache-Control" not in response.headers:
        response.headers.update(NOT_KEPT)


async def _in_time(parts: list["asyncio.Future[Part]"]) -> list[Part | None]:
    """The parts that are there in PATIENCE_SECONDS; None for the others and for those that failed."""
    if parts:
        await asyncio.wait(parts, timeout=PATIENCE_SECONDS)
    found: list[Part | None] = []
    for each in parts:
        if each.done() and each.exception() is None:
            found.append(each.result())
        else:
            found.append(None)
            each.add_done_callback(lambda done: done.cancelled() or done.exception())
    return found


def _shown(panel: Panel, viewer: Viewer) -> bool:
    return viewer.tenants is None or not panel.every_tenant


def _part(html: str, headers: dict[str, str]) -> web.Response:
    return web.Response(text=html, content_type="text/html", headers=headers)
