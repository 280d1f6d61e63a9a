"""Sends a message as e-mail, in threads of its own: the judged address is dialled, over TLS by its name."""

import asyncio
import smtplib
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Any, Final

from sinks.webhooks.addresses import AddressError, resolve
from sinks.webhooks.endpoints import Endpoint, Mail
from sinks.webhooks.http_sender import shown
from sinks.webhooks.verdicts import Reason, Verdict, of_mail

_END_SECONDS: Final = 1.0  #: for a thread to end whose connection was cut off
_THREADS: Final = 16  #: of one endpoint: a mail server that hangs keeps nobody else's


class MailSender:
    """To the recipients of one endpoint. The Message-ID is the webhook_id, so a mailbox can tell repeats."""

    def __init__(self, endpoint: Endpoint) -> None:
        assert endpoint.mail is not None
        self._endpoint = endpoint
        self._mail = endpoint.mail
        self._threads = ThreadPoolExecutor(
            min(endpoint.concurrency, _THREADS), thread_name_prefix=f"mail-{endpoint.name}"
        )

    async def send(self, webhook_id: str, body: bytes) -> Verdict:
        """One attempt, of no more than the endpoint's timeout. It never raises but when it is cancelled."""
        mail, seconds = self._mail, self._endpoint.timeout
        call = _Call()
        try:
            message = letter(mail, webhook_id, body)
            async with asyncio.timeout(seconds):
                addresses = await resolve(mail.host, mail.port, allow_private=self._endpoint.allow_private)
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(self._threads, _send, mail, message, addresses, seconds, call)
            done, _ = await asyncio.wait((work,), timeout=seconds)
            if not done:
                call.cut()  # then the thread ends, and knows best how far it came
                await asyncio.wait((work,), timeout=_END_SECONDS)
            if work.done():
                return work.result()
            work.cancel()  # it has not begun, or still dials
            return Verdict(Reason.TIMEOUT, None, f"no answer within {seconds:g} s", sent=call.began)
        except AddressError as error:
            return Verdict(Reason.ADDRESS, None, shown(str(error)), sent=False)
        except TimeoutError:
            return Verdict(Reason.TIMEOUT, None, f"no answer within {seconds:g} s", sent=False)
        except (OSError, ValueError) as error:
            return Verdict(Reason.UNREACHABLE, None, shown(str(error)), sent=False)
        except asyncio.CancelledError:
            call.cut()
            raise

    async def close(self) -> None:
        """Wait for no thread: the sockets of those that run are cut off by then."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Call:
    """One conversation with a mail server, which another thread may cut off: a server that drips has no timeout."""

    def __init__(self) -> None:
        self.began = False  #: whether the server may have got the mail
        self.over = False
        self._lock = threading.Lock()
        self._guard: socket.socket | None = None

    def dialled(self, connection: socket.socket) -> None:
        """Note the connection, whatever wraps it later. Raises TimeoutError if the call was cut off before."""
        with self._lock:
            if self.over:
                raise TimeoutError
            self._guard = connection.dup()

    def cut(self) -> None:
        """End the conversation, also before it begins."""
        with self._lock:
            self.over = True
            if self._guard is not None:
                with suppress(OSError):
                    self._guard.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptor back."""
        with self._lock:
            if self._guard is not None:
                self._guard.close()
                self._guard = None


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


def _send(
    mail: Mail, message: EmailMessage, addresses: list[tuple[Any, ...]], timeout: float, call: _Call
) -> Verdict:
    context = ssl.create_default_context()
    try:
        client = (_TlsClient if mail.tls else _Client)(addresses, mail, timeout, context, call)
        try:
            if mail.starttls:
                client.starttls(context=context)
            if mail.user:
                client.login(mail.user, mail.password)
            call.began = True
            refused = client.send_message(message, mail.sender, mail.recipients)
            # the server has the mail: what it says to the farewell changes nothing
            with suppress(smtplib.SMTPException, OSError):
                client.quit()
        finally:
            client.close()
    except smtplib.SMTPRecipientsRefused as error:
        code, answer = next(iter(error.recipients.values()))
        return of_mail(code, shown(answer.decode("utf-8", "replace")))
    except smtplib.SMTPResponseException as error:
        text = _text(error.smtp_error)
        # what a server says before a mail was begun (login, TLS) is about the server, not about this mail
        return of_mail(error.smtp_code if call.began else 450, shown(text))
    except (smtplib.SMTPException, OSError, ValueError) as error:
        if call.over or isinstance(error, TimeoutError):
            return Verdict(Reason.TIMEOUT, None, f"no answer within {timeout:g} s", sent=call.began)
        return Verdict(Reason.UNREACHABLE, None, shown(f"{type(error).__name__}: {error}"), sent=call.began)
    finally:
        call.close()
    return Verdict(None, 250, shown(f"refused for {', '.join(refused)}" if refused else ""))


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


class _Client(smtplib.SMTP):
    """Dials addresses that were judged; the name is for TLS and the greeting."""

    def __init__(
        self,
        addresses: list[tuple[Any, ...]],
        mail: Mail,
        timeout: float,
        context: ssl.SSLContext,
        call: _Call,
    ) -> None:
        self._addresses = addresses
        self._context = context
        self._call = call
        super().__init__(mail.host, mail.port, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002
        failed = OSError("it has no address")
        for family, kind, protocol, _, address in self._addresses:
            dialled = socket.socket(family, kind, protocol)
            dialled.settimeout(timeout)
            try:
                dialled.connect(address)
                self._call.dialled(dialled)
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
