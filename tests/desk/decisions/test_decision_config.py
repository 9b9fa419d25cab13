"""What a decision hangs on is written down, and parsed again as it was."""

from __future__ import annotations

from dataclasses import replace

from smcdesk.decisions.config import (
    AccountSnapshot,
    CalendarSnapshot,
    DecisionConfig,
    load_account,
    load_decision_configs,
)
from smclab.news import NewsCalendar


def test_what_a_decision_hangs_on_is_written_down_and_parsed(house):
    config, account = load_decision_configs("test")["MADEUP"], load_account("test")
    news = NewsCalendar((10**18, 10**18 + 5), ("USD", "EUR"), ("NFP", "CPI"), 10**18 - 9, 10**18 + 9, 10**18)
    again = DecisionConfig.from_dict(config.to_dict())
    assert again == config and again.config_hash == config.config_hash and config.to_dict()["format"] == 2
    assert replace(config, model_use="champion").config_hash != config.config_hash
    richer = AccountSnapshot(replace(account.account, equity=account.account.equity + 1))
    assert richer.account_hash != account.account_hash
    for calendar in (CalendarSnapshot(None), CalendarSnapshot(news)):
        parsed = CalendarSnapshot.from_dict(calendar.to_dict())
        assert parsed == calendar and parsed.calendar_hash == calendar.calendar_hash
