"""Files over HTTP against a server on loopback that answers what a test wants. The real one: test_direct.py there."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from deploy.ports import free_port
from schemas import topics
from schemas.errors import SettingsError, TouchlineError, UnavailableError
from schemas.settings import ClickHouse
from sinks.clickhouse.write.http_writer import HttpWriter, RefusedError
from sinks.clickhouse.write.inserts import AvroInsert
from sinks.clickhouse.write.prepare import avro_inserts
from tests.support.kafka_records import Consumed, resolved_bytes


class Server:
    """What was asked, and the answers to give: status, error code, text. A status of 0 hangs up."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str, bytes]] = []
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                server.connections += 1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.asked.append((self.path, dict(self.headers), body))
                status, code, text = server.answers.pop(0) if server.answers else (200, "", b"")
                if not status:
                    self.close_connection = True
                    return
                self.send_response(status)
                if code:
                    self.send_header("X-ClickHouse-Exception-Code", code)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.port = self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


@pytest.fixture
def writer(server: Server) -> Iterator[HttpWriter]:
    found = HttpWriter(where(server.port))
    yield found
    found.close()


def where(http_port: int) -> ClickHouse:
    return ClickHouse("127.0.0.1", 9000, "loader", "sesame-ö", "shop", http_port=http_port)


def insert() -> AvroInsert:
    (found,), _ = avro_inserts(
        [(topics.JOURNEY_INPUTS, Consumed(resolved_bytes("e1"), topic="x.journey-inputs"))], None, 1
    )
    return found


def failure(writer: HttpWriter) -> TouchlineError:
    with pytest.raises(TouchlineError) as caught:
        writer.write(insert())
    assert "sesame" not in str(caught.value)
    return caught.value


def test_a_file_is_posted_with_its_token_and_topic_and_the_password_in_a_header_only(
    server: Server, writer: HttpWriter
) -> None:
    asked = insert()

    writer.write(asked)
    writer.write(asked)

    (path, headers, body), again = server.asked
    parameters = parse_qs(urlsplit(path).query)
    assert body == asked.file
    assert parameters["insert_deduplication_token"] == [asked.token]
    assert parameters["param_topic"] == ["x.journey-inputs"]
    assert parameters["wait_end_of_query"] == ["1"]
    assert parameters["query"][0].startswith("INSERT INTO shop.raw_touchpoints (")
    assert "sesame" not in path
    assert headers["X-ClickHouse-User"] == "loader"
    assert headers["X-ClickHouse-Key"].encode("latin-1").decode() == "sesame-ö"
    assert again == (path, headers, body)
    assert server.connections == 1


def test_a_connection_that_the_server_ended_meanwhile_is_made_anew(
    server: Server, writer: HttpWriter
) -> None:
    writer.write(insert())
    server.answers = [(0, "", b"")]

    writer.write(insert())

    assert server.connections == 2


def test_an_answer_that_never_comes_is_worth_a_retry(server: Server, writer: HttpWriter) -> None:
    server.answers = [(0, "", b"")]

    assert isinstance(failure(writer), UnavailableError)


def test_a_port_where_nobody_listens_names_the_setting() -> None:
    port = free_port()

    found = failure(HttpWriter(where(port)))

    assert isinstance(found, UnavailableError)
    assert str(found) == (
        f"ClickHouse at 127.0.0.1:{port} does not answer: start it, or check http_port in TOUCHLINE_CLICKHOUSE_URL"
    )


def test_a_refused_user_stops_the_loader(server: Server, writer: HttpWriter) -> None:
    server.answers = [(403, "516", b"Code: 516. DB::Exception: Authentication failed")]

    found = failure(writer)

    assert isinstance(found, SettingsError)
    assert "refuses user 'loader'" in str(found)


@pytest.mark.parametrize(
    "code", ["1001", "395", "252", "36"]
)  # not Avro, throwIf, too many parts, bad arguments
def test_whatever_else_the_server_refuses_is_tried_as_rows(
    server: Server, writer: HttpWriter, code: str
) -> None:
    server.answers = [(500, code, b"Code: 1001.\n avro::Exception" + b"x" * 1000)]

    found = failure(writer)

    assert isinstance(found, RefusedError)
    assert f"(code {code}): Code: 1001. avro::Exception" in str(found)
    assert len(str(found)) < 400
    writer.write(insert())  # and the next file is taken


def test_a_proxy_in_trouble_is_worth_a_retry_and_another_server_is_not(
    server: Server, writer: HttpWriter
) -> None:
    server.answers = [(502, "", b"bad gateway"), (404, "", b"nothing here")]

    assert isinstance(failure(writer), UnavailableError)
    other = failure(writer)
    assert isinstance(other, SettingsError)
    assert "is not ClickHouse: check http_port" in str(other)
