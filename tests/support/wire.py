"""Loopback servers that answer as a Bot API and a mail server do."""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def free_port() -> int:
    "A loopback port nobody listens on at this moment."
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# The shapes are those of https://core.telegram.org/bots/api#making-requests ("always has a Boolean field 'ok'", result,
# description, error_code, parameters) and https://core.telegram.org/bots/api#responseparameters (retry_after,
# migrate_to_chat_id), read in the transcriptions of grammy_types 3.3.0 (deno.land/x/grammy_types) and aiogram 3.29.
def sent(payload: dict) -> dict:
    "sendMessage's answer: the Message."
    chat = {"id": payload["chat_id"], "type": "private", "first_name": "Ann"}
    bot = {"id": 123456, "is_bot": True, "first_name": "smcdesk", "username": "smcdesk_bot"}
    return {"ok": True, "result": {"message_id": 7, "from": bot, "chat": chat, "date": 1, "text": payload["text"]}}


def refused(code: int, why: str, **parameters) -> tuple[int, dict]:
    "An unsuccessful request's answer."
    return code, {"ok": False, "error_code": code, "description": why} | (
        {"parameters": parameters} if parameters else {}
    )


class BotApi:
    "A fake Bot API: `answers` are given first, in order, then every message is taken."

    def __init__(self):
        self.answers: list = []  # (status, object or raw text), or a callable that is waited for
        self.requests: list[tuple[str, dict]] = []  # path, JSON
        self.url = ""

    @property
    def texts(self) -> list[str]:
        return [body["text"] for _, body in self.requests]


@contextmanager
def bot_api() -> Iterator[BotApi]:
    "A running fake Bot API."
    api = BotApi()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            api.requests.append((self.path, body))
            answer = api.answers.pop(0) if api.answers else (200, sent(body))
            status, reply = answer() if callable(answer) else answer
            raw = reply.encode() if isinstance(reply, str) else json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_):
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_):
            "A client that has stopped waiting is what some tests are about."

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


class Postman:
    "aiosmtpd's handler: keeps every mail; `answers` are given to DATA first, in order."

    def __init__(self):
        self.mails: list[bytes] = []
        self.answers: list[str] = []
        self.unknown: set[str] = set()  # addresses

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.unknown:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.answers:
            return self.answers.pop(0)
        self.mails.append(envelope.content)
        return "250 OK"


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    "A server's context with a certificate for 127.0.0.1, and the file that makes others trust it."
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = builder.add_extension(loopback, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem = folder / "cert.pem"
    pem.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*form))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, folder / "key.pem")
    return context, pem


@contextmanager
def mail_server(
    *, tls: ssl.SSLContext | None = None, at_once: bool = False, user: str = ""
) -> Iterator[tuple[Postman, int]]:
    "A running mail server: the mails it took, and its port. `user`: its name and password must both be this."
    postman, port = Postman(), free_port()

    def authenticate(server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (user.encode(), user.encode()), handled=False)

    how = {"ssl_context": tls} if at_once else {"tls_context": tls, "require_starttls": tls is not None}
    if user:
        how |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": not at_once}
    server = Controller(postman, hostname="127.0.0.1", port=port, **how)
    server.start()
    try:
        yield postman, port
    finally:
        server.stop()
