import socket

import pytest
from clickhouse_driver import errors

from schemas.errors import SettingsError, SinkError, TouchlineError, UnavailableError
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, translated

WHERE = ClickHouse("db.local", 9000, "loader", "sesame-open", "touchline")


def translation(error: Exception) -> TouchlineError:
    with pytest.raises(TouchlineError) as caught, translated(WHERE):
        raise error
    assert "sesame" not in str(caught.value)
    return caught.value


def test_a_wrong_password_names_the_setting_and_never_the_password() -> None:
    error = translation(errors.ServerException("DB::Exception: Authentication failed", 516))

    assert isinstance(error, SettingsError)
    assert str(error) == (
        "ClickHouse at db.local:9000 refuses user 'loader': "
        "check user, password and rights of TOUCHLINE_CLICKHOUSE_URL"
    )


def test_a_missing_table_says_to_migrate() -> None:
    error = translation(
        errors.ServerException("DB::Exception: Table touchline.x does not exist. Stack trace:\n\n0. ?", 60)
    )

    assert isinstance(error, SettingsError)
    assert "run `touchline migrate` (Table touchline.x does not exist (code 60))" in str(error)


@pytest.mark.parametrize("code", [242, 252, 241, 243])  # read-only, too many parts, out of memory, disk full
def test_a_server_in_trouble_is_worth_a_retry(code: int) -> None:
    assert isinstance(translation(errors.ServerException("DB::Exception: no", code)), SinkError)


@pytest.mark.parametrize(
    "error", [errors.NetworkError(), errors.SocketTimeoutError(), EOFError(), ConnectionResetError()]
)
def test_a_broken_connection_says_what_to_start(error: Exception) -> None:
    found = translation(error)

    assert isinstance(found, UnavailableError)
    assert (
        str(found) == "ClickHouse at db.local:9000 does not answer: start it, or set TOUCHLINE_CLICKHOUSE_URL"
    )


def test_a_port_where_nobody_listens_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(UnavailableError, match=f"127.0.0.1:{port} does not answer"):
            connect(ClickHouse("127.0.0.1", port, "default", ""))
