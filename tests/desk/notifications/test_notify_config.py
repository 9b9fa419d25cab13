"""Nothing is sent unless conf says so, wrong settings are refused, and the command does what conf says."""

from __future__ import annotations

import pytest
import wire
from outbox_fakes import TOKEN, put
from typer.testing import CliRunner

from smcdesk.notifications.config import notify_conf
from smcdesk.notifications.outbox import enabled_channels
from smcdesk.store import Store
from smclab.candles import BadConfig


def test_channels_are_off_and_nothing_is_sent_unless_conf_says_so(house):
    for env in ("base", "test", "paper", "live"):
        conf = notify_conf(env)
        assert not conf.send and not enabled_channels(conf) and conf.limit_per_s <= 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("channels: {telegram: {enable: true}}", "enable.*not permitted"),
        ("limit_per_s: 30", "limit_per_s.*less than or equal to 1"),
        ("routes: {signals: [telegram]}", "did you mean 'signal'"),
        ("routes: {signal: [telegramm]}", "did you mean 'telegram'"),
        ("channels: {telegram: {enabled: true}}", "SMCDESK_TELEGRAM_TOKEN is not set"),
        ("channels: {telegram: {enabled: true, chat_id: 1, url: 'http://x.y'}}", "must be https"),
        ("channels: {email: {enabled: true}}", "email.host is not set"),
        ("channels: {email: {enabled: true, host: x.y, sender: a@b, to: [ann]}}", "'ann' is no address"),
        ("channels: {email: {enabled: true, host: x.y, sender: a@b, to: [a@b], security: none}}", "must be encrypted"),
    ],
)
def test_conf_that_is_wrong_is_refused(house, monkeypatch, text, why):
    monkeypatch.setenv("SMCDESK_TELEGRAM_TOKEN", TOKEN if "http:" in text else "")
    (house / "conf/test/notify.yml").write_text(text)
    try:
        with pytest.raises(BadConfig, match=why):
            enabled_channels(notify_conf("test"))
    finally:
        (house / "conf/test/notify.yml").unlink()


def test_outbox_command_lists_delivers_and_retries(house, api, monkeypatch):
    from smcdesk.__main__ import app

    def smcdesk(*words):
        done = CliRunner().invoke(app, ["outbox", *words, "--env", "test"])
        return done.exit_code, done.output

    monkeypatch.setenv("SMCDESK_TELEGRAM_TOKEN", TOKEN)
    telegram = f"{{enabled: true, chat_id: 42, url: '{api.url}'}}"
    (house / "conf/test/notify.yml").write_text(f"channels: {{telegram: {telegram}}}\npatience_s: 0\n")
    with Store(env="test") as store:
        store.upgrade()
        put(store)
    assert "would go by telegram: EURUSD 0 (m000)" in smcdesk("deliver")[1] and not api.requests
    api.answers = [wire.refused(400, "Bad Request: chat not found")]
    code, output = smcdesk("deliver", "--send")
    assert code == 1 and "failed by telegram: m000: Telegram: 400 Bad Request: chat not found" in output
    assert "failed" in smcdesk("list", "--status", "failed")[1]
    assert smcdesk("retry", "m000") == (0, "1 queued again; smcdesk outbox deliver sends them\n")
    monkeypatch.setattr("smcdesk.notifications.outbox.time.sleep", lambda s: None)
    monkeypatch.setattr("smcdesk.notifications.outbox.DeliveryPace.limit_per_s", 1.0)
    (house / "conf/test/notify.yml").write_text(f"channels: {{telegram: {telegram}}}\npatience_s: 5\n")
    assert smcdesk("deliver", "--send")[1].startswith("1 sent, 0 failed")
    assert "m000" in smcdesk("list")[1] and smcdesk("list", "--status", "sen")[0] == 2
