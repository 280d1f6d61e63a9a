"""Sends a message as e-mail, in a thread: the judged address is the one that is dialled, over TLS by its name."""

import asyncio
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Any

from sinks.webhooks.addresses import AddressError, judge_literal, resolve
from sinks.webhooks.endpoints import Endpoint, Mail
from sinks.webhooks.http_sender import shown
from sinks.webhooks.verdicts import Reason, Verdict, of_mail


class MailSender:
    """To the recipients of one endpoint. The Message-ID is the webhook_id, so a mailbox can tell repeats."""

    def __init__(self, endpoint: Endpoint) -> None:
        assert endpoint.mail is not None
        self._endpoint = endpoint
        self._mail = endpoint.mail

    async def send(self, webhook_id: str, body: bytes) -> Verdict:
        """One attempt. It never raises but when it is cancelled."""
        mail = self._mail
        message = letter(mail, webhook_id, body)
        try:
            async with asyncio.timeout(self._endpoint.timeout):
                if not self._endpoint.allow_private:
                    judge_literal(mail.host)
                addresses = await resolve(mail.host, mail.port, allow_private=self._endpoint.allow_private)
            return await asyncio.to_thread(_send, mail, message, addresses, self._endpoint.timeout)
        except AddressError as error:
            return Verdict(Reason.ADDRESS, None, shown(str(error)), sent=False)
        except TimeoutError:
            return Verdict(Reason.TIMEOUT, None, f"no answer within {self._endpoint.timeout:g} s")
        except OSError as error:
            return Verdict(Reason.UNREACHABLE, None, shown(str(error)), sent=False)

    async def close(self) -> None:
        """It keeps nothing open."""


def letter(mail: Mail, webhook_id: str, body: bytes) -> EmailMessage:
    """The mail. The first line of the body is its subject; no value can add a header or a recipient."""
    first, _, rest = body.decode("utf-8").lstrip().partition("\n")
    message = EmailMessage(policy=SMTP)
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.recipients)
    message["Subject"] = " ".join(first.removeprefix("Subject:").split())[:200]
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{webhook_id}@{mail.sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(rest.strip() + "\n")
    return message


def _send(mail: Mail, message: EmailMessage, addresses: list[tuple[Any, ...]], timeout: float) -> Verdict:
    context = ssl.create_default_context()
    began = False
    try:
        kind = _TlsClient if mail.tls else _Client
        with kind(addresses, mail.host, mail.port, timeout, context) as client:
            if mail.starttls:
                client.starttls(context=context)
            if mail.user:
                client.login(mail.user, mail.password)
            began = True
            refused = client.send_message(message, mail.sender, mail.recipients)
    except smtplib.SMTPRecipientsRefused as error:
        code, answer = next(iter(error.recipients.values()))
        return of_mail(code, shown(answer.decode("utf-8", "replace")))
    except smtplib.SMTPResponseException as error:
        text = _text(error.smtp_error)
        # what a server says before a mail was begun (login, TLS) is about the server, not about this mail
        return of_mail(error.smtp_code if began else 450, shown(text))
    except TimeoutError:
        return Verdict(Reason.TIMEOUT, None, f"no answer within {timeout:g} s", sent=began)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return Verdict(Reason.UNREACHABLE, None, shown(f"{type(error).__name__}: {error}"), sent=began)
    return Verdict(None, 250, shown(f"refused for {', '.join(refused)}" if refused else ""))


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


class _Client(smtplib.SMTP):
    """Dials addresses that were judged; the name is for TLS and the greeting."""

    def __init__(
        self, addresses: list[tuple[Any, ...]], host: str, port: int, timeout: float, context: ssl.SSLContext
    ) -> None:
        self._addresses = addresses
        self._context = context
        super().__init__(host, port, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002
        failed = OSError("it has no address")
        for family, kind, protocol, _, address in self._addresses:
            dialled = socket.socket(family, kind, protocol)
            dialled.settimeout(timeout)
            try:
                dialled.connect(address)
            except OSError as error:
                dialled.close()
                failed = error
            else:
                return self._secured(dialled, host)
        raise failed

    def _secured(self, dialled: socket.socket, host: str) -> socket.socket:  # noqa: ARG002
        return dialled


class _TlsClient(_Client):
    """The same with TLS from the first byte."""

    def _secured(self, dialled: socket.socket, host: str) -> socket.socket:
        try:
            return self._context.wrap_socket(dialled, server_hostname=host)
        except OSError:
            dialled.close()
            raise
