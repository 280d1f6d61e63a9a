"""An OIDC token endpoint over TLS: what it is asked, how long its token is kept, and what it may answer wrongly."""

from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import UnavailableError
from schemas.kafka_tokens import TokenSource
from tests.support.certificates import Authority, Signed
from tests.support.token_server import Answer, as_json, token_server

#: Characters that RFC 6749 has encoded before they go into Basic authorisation.
CLIENT, SECRET = "touch:line", "p@ss w%rd+"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Signed:
    return authority.sign("idp")


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python trusts the authority, as it does those of the system."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))


def fixed(answer: Answer) -> Callable[[], Answer]:
    return lambda: answer


@pytest.mark.usefixtures("trusted")
def test_the_client_logs_in_and_the_token_is_kept_until_most_of_its_life_is_over(certificate: Signed) -> None:
    lives = iter((3600, 3600, 0))
    tokens = iter(("first", "second", "third"))

    def answer() -> Answer:
        return as_json({"access_token": next(tokens), "token_type": "Bearer", "expires_in": next(lives)})

    with token_server(certificate, CLIENT, SECRET, answer) as endpoint:
        source = TokenSource(endpoint.url, CLIENT, SECRET, "kafka:write")
        assert [source.token(), source.token()] == ["first", "first"]
        assert endpoint.asked == [{"grant_type": ["client_credentials"], "scope": ["kafka:write"]}]
        without_scope = TokenSource(endpoint.url, CLIENT, SECRET, "")
        assert without_scope.token() == "second"
        assert endpoint.asked[1] == {"grant_type": ["client_credentials"]}


@pytest.mark.usefixtures("trusted")
def test_a_token_of_unknown_life_is_asked_for_again(certificate: Signed) -> None:
    with token_server(certificate, CLIENT, SECRET, fixed(as_json({"access_token": "t"}))) as endpoint:
        source = TokenSource(endpoint.url, CLIENT, SECRET, "")
        assert [source.token(), source.token()] == ["t", "t"]
        assert len(endpoint.asked) == 2


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (as_json({"error": "server_error"}, 500), "does not answer as it should: HTTP Error 500"),
        ((200, {}, b"no json"), "does not answer as it should"),
        (as_json(["a list"]), "answers with no JSON object"),
        (as_json({"expires_in": 60}), "gives no bearer token"),
        (as_json({"access_token": "two words"}), "gives no bearer token"),
        ((307, {"Location": "https://127.0.0.1:1/"}, b""), "HTTP Error 307"),
    ],
)
def test_an_endpoint_that_answers_wrongly_is_one_sentence_without_the_secret(
    certificate: Signed, answer: Answer, why: str
) -> None:
    with (
        token_server(certificate, CLIENT, SECRET, fixed(answer)) as endpoint,
        pytest.raises(UnavailableError, match=why) as failed,
    ):
        TokenSource(endpoint.url, CLIENT, SECRET, "").token()
    assert SECRET not in str(failed.value)


@pytest.mark.usefixtures("trusted")
def test_a_wrong_secret_is_refused(certificate: Signed) -> None:
    with (
        token_server(certificate, CLIENT, SECRET, fixed(as_json({"access_token": "t"}))) as endpoint,
        pytest.raises(UnavailableError, match="HTTP Error 401"),
    ):
        TokenSource(endpoint.url, CLIENT, "wrong", "").token()
    assert endpoint.refused == 1


def test_an_endpoint_whose_certificate_nobody_trusts_is_not_told_the_secret(certificate: Signed) -> None:
    with (
        token_server(certificate, CLIENT, SECRET, fixed(as_json({"access_token": "t"}))) as endpoint,
        pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        TokenSource(endpoint.url, CLIENT, SECRET, "").token()
    assert not endpoint.asked


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_name_is_not_taken(authority: Authority, tmp_path: Path) -> None:
    elsewhere = authority.sign("elsewhere", "DNS:idp.example")
    with (
        token_server(elsewhere, CLIENT, SECRET, fixed(as_json({"access_token": "t"}))) as endpoint,
        pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        TokenSource(endpoint.url, CLIENT, SECRET, "").token()
    assert not endpoint.asked
