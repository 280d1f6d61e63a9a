"""What the settings say about TLS and SASL to Kafka, checked; kafka-python's clients get their arguments from here.

Certificates and passwords are read whenever a client is made. The SDK imports this module, so it knows no aiokafka:
schemas/kafka_client.py has its arguments, streams/runtime/faust_broker.py Faust's.
"""

import ipaddress
import ssl
from typing import Any, Final

from schemas.errors import SettingsError, TouchlineError
from schemas.kafka_tokens import TokenSource
from schemas.secret_files import read_secret
from schemas.settings import Settings
from schemas.tls import client_context

SECURITY: Final = ("plaintext", "ssl", "sasl_ssl", "sasl_plaintext")  #: what TOUCHLINE_KAFKA_SECURITY may be
OAUTHBEARER: Final = "OAUTHBEARER"
MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", OAUTHBEARER)
ALLOW: Final = "allow"  #: what TOUCHLINE_KAFKA_PLAINTEXT must be to go without TLS beyond this machine
PLAINTEXT: Final = ("loopback", ALLOW)


def sync_client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for every client of kafka-python. Raises SettingsError."""
    options = common_options(settings)
    if mechanism_of(settings) == OAUTHBEARER:
        options["sasl_oauth_token_provider"] = _kafka_python_tokens(settings)
    return {"bootstrap_servers": bootstrap_servers(settings), **options}


def bootstrap_servers(settings: Settings) -> list[str]:
    """The addresses, host:port each."""
    return [address.strip() for address in settings.brokers.split(",")]


def check_connection(settings: Settings) -> None:
    """Raise SettingsError, one sentence, if no client may be made from these settings. Connects to nothing."""
    security, mechanism = settings.kafka_security, settings.kafka_mechanism
    _require_one_of("TOUCHLINE_KAFKA_SECURITY", security, SECURITY)
    _require_one_of("TOUCHLINE_KAFKA_MECHANISM", mechanism, MECHANISMS)
    _require_one_of("TOUCHLINE_KAFKA_PLAINTEXT", settings.kafka_plaintext, PLAINTEXT)
    if not _tls(settings):
        _refuse_plaintext(settings)
        _refuse_set(settings, ("ca", "certificate", "key", "key_password"), "ssl or sasl_ssl")
    if not security.startswith("sasl_"):
        _refuse_set(settings, ("user", "password", "token", "token_scope"), "sasl_ssl")
    elif mechanism == OAUTHBEARER:
        _check_tokens(settings)
    else:
        _refuse_set(
            settings, ("token", "token_scope"), "sasl_ssl, and TOUCHLINE_KAFKA_MECHANISM to OAUTHBEARER"
        )
        _require(settings, ("user", "password"), f"{mechanism} needs it")
    if settings.kafka_key and not settings.kafka_certificate:
        raise SettingsError(
            "TOUCHLINE_KAFKA_KEY is set, but TOUCHLINE_KAFKA_CERTIFICATE is not: name the key's certificate"
        )


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS as the settings say, None without it; a broker's name is always checked. Raises SettingsError."""
    if not _tls(settings):
        return None
    context = client_context("TOUCHLINE_KAFKA_CA", settings.kafka_ca)
    if settings.kafka_certificate:
        password = read_secret("TOUCHLINE_KAFKA_KEY_PASSWORD", settings.kafka_key_password)
        try:
            # a callable: OpenSSL would ask the terminal for a password that is missing
            context.load_cert_chain(settings.kafka_certificate, settings.kafka_key or None, lambda: password)
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"TOUCHLINE_KAFKA_CERTIFICATE and TOUCHLINE_KAFKA_KEY ({settings.kafka_certificate}"
                f"{', ' + settings.kafka_key if settings.kafka_key else ''}) are no certificate and its key: {error}"
            ) from error
    return context


def tokens_of(settings: Settings) -> TokenSource:
    """Where tokens for OAUTHBEARER come from. Raises SettingsError."""
    return TokenSource(
        settings.kafka_token,
        settings.kafka_user,
        read_secret("TOUCHLINE_KAFKA_PASSWORD", settings.kafka_password),
        settings.kafka_token_scope,
    )


def _kafka_python_tokens(settings: Settings) -> Any:
    from kafka.errors import SaslAuthenticationFailedError
    from kafka.net.sasl.oauth import AbstractTokenProvider

    class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # kafka-python has no types for it
        def token(self) -> str:
            try:
                return source.token()
            except TouchlineError as error:
                raise SaslAuthenticationFailedError(str(error)) from error

    source = tokens_of(settings)
    return Tokens()


def common_options(settings: Settings) -> dict[str, Any]:
    """The arguments that both libraries name alike, tokens left out. Raises SettingsError."""
    check_connection(settings)
    options: dict[str, Any] = {"security_protocol": settings.kafka_security.upper()}
    context, mechanism = ssl_context(settings), mechanism_of(settings)
    if context is not None:
        options["ssl_context"] = context
    if mechanism:
        options["sasl_mechanism"] = mechanism
    if mechanism and mechanism != OAUTHBEARER:
        options["sasl_plain_username"] = settings.kafka_user
        options["sasl_plain_password"] = sasl_password(settings)
    return options


def sasl_password(settings: Settings) -> str:
    """The user's password. Raises SettingsError if there is none."""
    password = read_secret("TOUCHLINE_KAFKA_PASSWORD", settings.kafka_password)
    if not password:
        raise SettingsError("TOUCHLINE_KAFKA_PASSWORD names an empty file: write the user's password into it")
    return password


def _tls(settings: Settings) -> bool:
    return settings.kafka_security in ("ssl", "sasl_ssl")


def mechanism_of(settings: Settings) -> str:
    """The SASL mechanism; empty without SASL."""
    return settings.kafka_mechanism if settings.kafka_security.startswith("sasl_") else ""


def _refuse_plaintext(settings: Settings) -> None:
    if settings.kafka_plaintext == ALLOW:
        return
    if settings.kafka_security == "sasl_plaintext":
        raise SettingsError(
            "TOUCHLINE_KAFKA_SECURITY is sasl_plaintext, which shows credentials to the network: set it to sasl_ssl,"
            " or TOUCHLINE_KAFKA_PLAINTEXT to allow"
        )
    beyond = [address for address in bootstrap_servers(settings) if not is_loopback(address)]
    if beyond:
        raise SettingsError(
            f"TOUCHLINE_KAFKA_BROKERS names {beyond[0]}, which would be reached without TLS: set"
            " TOUCHLINE_KAFKA_SECURITY to ssl or sasl_ssl, or, in a network that you trust,"
            " TOUCHLINE_KAFKA_PLAINTEXT to allow"
        )


def is_loopback(address: str) -> bool:
    """Whether host:port is on this machine, as far as the address tells."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _check_tokens(settings: Settings) -> None:
    _require(settings, ("token",), f"{OAUTHBEARER} needs it")
    token = settings.kafka_token
    if not token.startswith(("@", "!", "https://")):
        raise SettingsError(
            "TOUCHLINE_KAFKA_TOKEN must be @FILE, https:// and the address of a token endpoint, or ! and a command"
        )
    if token.startswith("https://"):
        _require(settings, ("user", "password"), "a token endpoint needs it")
    else:
        _refuse_set(
            settings,
            ("user", "password", "token_scope"),
            "sasl_ssl, and TOUCHLINE_KAFKA_TOKEN to an endpoint",
        )


def _require_one_of(variable: str, value: str, possible: tuple[str, ...]) -> None:
    if value not in possible:
        raise SettingsError(
            f"{variable} is {value!r}: it must be {', '.join(possible[:-1])} or {possible[-1]}"
        )


def _require(settings: Settings, names: tuple[str, ...], why: str) -> None:
    for name in names:
        if not getattr(settings, f"kafka_{name}"):
            raise SettingsError(f"TOUCHLINE_KAFKA_{name.upper()} is not set: {why}")


def _refuse_set(settings: Settings, names: tuple[str, ...], needed: str) -> None:
    """A credential that is set and not used would let its owner believe in it."""
    for name in names:
        if getattr(settings, f"kafka_{name}"):
            raise SettingsError(
                f"TOUCHLINE_KAFKA_{name.upper()} is set and would not be used: unset it, or set"
                f" TOUCHLINE_KAFKA_SECURITY to {needed}"
            )
