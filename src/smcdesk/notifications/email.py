"""E-mail by SMTP: one plain message to everyone in conf."""

from __future__ import annotations

import email.policy
import hashlib
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from smcdesk.notifications.channel import ChannelDown, Message, Rejected, Retry, run_with_timeout
from smcdesk.notifications.config import EmailConf
from smclab.candles import BadConfig

USER, PASSWORD = "SMCDESK_SMTP_USER", "SMCDESK_SMTP_PASSWORD"
_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Email:
    "A mail server, the sender and the recipients."

    host: str
    port: int
    sender: str
    to: tuple[str, ...]
    security: str = "starttls"  # starttls, tls, none
    user: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = 30.0

    @classmethod
    def from_conf(cls, conf: EmailConf) -> Email:
        "The mail server of conf, with credentials from environment variables."
        for name in ("host", "sender", "to"):
            if not getattr(conf, name):
                raise BadConfig(f"e-mail is enabled, but notify.channels.email.{name} is not set")
        for address in (conf.sender, *conf.to):
            if "@" not in address or len(address.split()) != 1:
                raise BadConfig(f"notify.channels.email: {address!r} is no address such as name@example.com")
        if conf.security == "none" and conf.host not in _LOCAL:
            raise BadConfig(f"mail to {conf.host} must be encrypted: security starttls or tls; none is for {_LOCAL[0]}")
        user, password = os.environ.get(USER, ""), os.environ.get(PASSWORD, "")
        if bool(user) != bool(password):
            raise BadConfig(f"the mail server's credentials are two variables, {USER} and {PASSWORD}: one is not set")
        return cls(conf.host, conf.port, conf.sender, conf.to, conf.security, user, password, conf.timeout_s)

    def parts(self, message: Message) -> list[str]:
        "One part: mail has no length limit that matters here."
        return [message.body]

    def send(self, message: Message, part: str) -> None:
        "Send one mail to all recipients; a server that refuses one of them is an error."
        work = aiosmtplib.send(
            self._mail(message, part), hostname=self.host, port=self.port, timeout=self.timeout_s,
            use_tls=self.security == "tls", start_tls=self.security == "starttls",
            username=self.user or None, password=self.password or None,
        )  # fmt: skip
        try:
            refused, _ = run_with_timeout(work, self.timeout_s)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise _judged(error, f"{self.host}:{self.port}") from None
        if refused:
            who = "; ".join(f"{address} {answer.code} {answer.message}" for address, answer in refused.items())
            raise Rejected(f"taken for the others, but not for {who}")

    def _mail(self, message: Message, part: str) -> EmailMessage:
        "The same message is the same mail, byte for byte: mail programs show one of two with one Message-ID."
        mail = EmailMessage(policy=email.policy.SMTP)
        mail["From"], mail["To"], mail["Subject"] = self.sender, ", ".join(self.to), message.subject
        mail["Date"] = format_datetime(datetime.fromtimestamp(message.time // 1_000_000_000, UTC))
        mail["Message-ID"] = f"<{hashlib.sha256(message.key.encode()).hexdigest()[:32]}@smcdesk.invalid>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(part)
        return mail


def _judged(error: BaseException, where: str) -> Exception:
    "The error a mail server's answer stands for: wait, retry, rejected or wrong settings."
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = max(error.recipients, key=lambda e: e.code)
    reason = f"mail server {where}: {type(error).__name__} {' '.join(str(error).split())}".rstrip()
    if isinstance(error, aiosmtplib.SMTPNotSupported) or "not supported by server" in reason:
        return BadConfig(f"{reason}: notify.channels.email.security asks for what this server does not offer")
    code = getattr(error, "code", None)
    if code is None or code == 421 or isinstance(error, aiosmtplib.SMTPConnectError):
        return ChannelDown(reason)
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return BadConfig(f"{reason}: set {USER} and {PASSWORD} anew") if code >= 500 else ChannelDown(reason)
    return Rejected(reason) if code >= 500 else Retry(reason)
