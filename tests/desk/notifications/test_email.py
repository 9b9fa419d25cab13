"""Mail goes encrypted, once, and a server's answers are told apart."""

from __future__ import annotations

import email
import email.policy
import socket

import pytest
import wire
from outbox_fakes import MESSAGE, go, put

from smcdesk.notifications.channel import ChannelDown, Rejected, Retry
from smcdesk.notifications.email import Email
from smcdesk.notifications.outbox import DeliveryPace
from smclab.candles import BadConfig


def mailer(port: int, **settings) -> Email:
    given = {"host": "127.0.0.1", "port": port, "sender": "desk@example.com", "to": ("ann@example.com",)}
    return Email(**given | {"security": "none", "timeout_s": 5.0} | settings)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # it is over TLS, from the first byte
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_encrypted_with_credentials(light, clock, tmp_path, monkeypatch, security):
    tls, trusted = wire.certificate(tmp_path)
    with wire.mail_server(tls=tls, at_once=security == "tls", user="ann") as (man, port):
        put(light, text="Entry 1.0812 · Größe 1 £")
        way = mailer(port, security=security, user="ann", password="ann")
        assert "verif" in go(light, clock, email=way, pace=DeliveryPace(patience_s=0)).delayed[0][2].lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert go(light, clock, email=way).sent == (("m000", "email"),)
        put(light, 1)
        wrong = go(light, clock, email=mailer(port, security=security, user="ann", password="secret"))
        assert "SMCDESK_SMTP_PASSWORD anew" in wrong.broken[0][2] and "secret" not in str(wrong)
    mail = email.message_from_bytes(man.mails[0], policy=email.policy.default)
    assert (mail["Subject"], mail["To"], mail["From"]) == ("EURUSD 0", "ann@example.com", "desk@example.com")
    assert mail.get_content().replace("\r\n", "\n") == "Entry 1.0812 · Größe 1 £\n\nref m000\n"


def test_mail_sent_twice_is_the_same_mail():
    with wire.mail_server() as (man, port):
        for _ in range(2):
            mailer(port).send(MESSAGE, "text")
    assert man.mails[0] == man.mails[1] and b"Message-ID: <" in man.mails[0]


def test_mail_server_answers_are_told_apart():
    with wire.mail_server() as (man, port):
        man.unknown = {"bob@example.com"}
        man.answers = ["451 4.3.0 try later", "554 5.6.0 no", "421 4.3.2 closing"]
        for kind, text in ((Retry, "451"), (Rejected, "554"), (ChannelDown, "421|closing")):
            with pytest.raises(kind, match=text):
                mailer(port).send(MESSAGE, "text")
        with pytest.raises(Rejected, match="550"):
            mailer(port, to=("bob@example.com",)).send(MESSAGE, "text")
        with pytest.raises(Rejected, match=r"taken for the others, but not for bob@example.com 550"):
            mailer(port, to=("ann@example.com", "bob@example.com")).send(MESSAGE, "text")
        with pytest.raises(BadConfig, match="security asks for what this server does not offer"):
            mailer(port, security="starttls").send(MESSAGE, "text")


def test_mail_server_that_is_down_or_silent_is_down():
    with pytest.raises(ChannelDown, match=r"127\.0\.0\.1"):
        mailer(wire.free_port()).send(MESSAGE, "text")
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ChannelDown):
        mailer(silent.getsockname()[1], timeout_s=0.2).send(MESSAGE, "text")
