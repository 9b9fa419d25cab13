"""No secret leaves in any spelling: messages, logs, tracebacks, tables, pages, notebooks, records, tags."""

import json
import logging
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

import pandas as pd
import pytest
from report_template import template

from smcdesk.project import logs
from smcdesk.project.redaction import has_password, masked, masked_values
from smcdesk.reports import index, runner, text
from smcdesk.store import Store, engine
from smclab.candles import BadConfig

CANARY = "c4n@ry/p?s s&w%rd"
Q, P = quote(CANARY, safe=""), quote_plus(CANARY)
SPELLINGS = {
    "before the host": f"postgresql://u:{Q}@127.0.0.1:1/d",
    "without a user": f"postgresql://:{Q}@127.0.0.1:1/d",
    "as a parameter": f"postgresql://u@127.0.0.1:1/d?password={Q}",
    "as a parameter with plus": f"postgresql://u@127.0.0.1:1/d?password={P}",
    "with the user": f"postgresql://127.0.0.1:1/d?user=u&password={Q}",
    "in a key's password": f"postgresql://u@127.0.0.1:1/d?sslmode=require&sslpassword={Q}",
    "in capitals": f"postgresql://u@127.0.0.1:1/d?PASSWORD={Q}",
    "with an encoded name": f"postgresql://u@127.0.0.1:1/d?%70assword={Q}",
    "in lower-case digits": f"postgresql://u:{Q.replace('%2F', '%2f')}@127.0.0.1:1/d",
    "unescaped": f"postgresql://u:{CANARY.replace(' ', '%20')}@127.0.0.1:1/d",
    "as pass": f"postgresql://u@127.0.0.1:1/d?pass={Q}",
    "as a token": f"postgresql://u@127.0.0.1:1/d?token={Q}&sslmode=require",
    "encoded twice": f"postgresql://u:{quote(Q, safe='')}@127.0.0.1:1/d",
    "in an unknown dialect": f"postgres+x://u:{Q}@127.0.0.1:1/d?passwd={Q}",
}
KEYS = {
    "APCA_API_SECRET_KEY": "k3y-canary-secret", "SMCDESK_TELEGRAM_TOKEN": "12345:canary-token-AAA",
    "SMTP_PASS": 'k3y-canary "ü', "HTTPS_PROXY": "http://me:k3y-canary@127.0.0.1:1",
    "PROXY_AUTHORIZATION": "k3y-canary-pa",
}  # fmt: skip


def leaked(shown: str, url: str) -> bool:
    return any(word in shown for word in ("c4n", "w%rd", "w%25rd", "k3y-canary", "canary-token"))


@pytest.fixture(params=SPELLINGS.values(), ids=SPELLINGS)
def url(request, monkeypatch):
    monkeypatch.setenv(engine.URL_VARIABLE, request.param)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return request.param


def outside(url: str) -> str:
    return f"could not connect to {url!r} with {KEYS} (password: {CANARY}, {CANARY!r}, {Q}, {P})"


def test_url_is_masked_in_text_tables_and_values(url):
    assert has_password(url)
    words = outside(url)
    assert not leaked(masked(words), url)
    assert not leaked(json.dumps(masked_values({words: [words, {"a": words}], "n": 1})), url)
    page = text.table(pd.DataFrame({words: [words]}, index=[words]), index=True)
    assert not leaked(page.html + page.text + text.paragraph(words).html, url)


def test_store_never_shows_its_password(url):
    try:
        store = Store()
    except BadConfig as refused:
        return _assert_clean(str(refused), url)
    _assert_clean(repr(store), url)
    with pytest.raises((BadConfig, ConnectionError)) as refused:
        store.revision()
    _assert_clean(str(refused.value), url)


def test_a_file_of_the_store_is_never_named_by_a_parameter(tmp_path):
    for query in (f"password={Q}", f"uri=true&password={Q}", "mode=ro"):
        with pytest.raises(BadConfig, match="a SQLite file has none") as refused:
            Store(f"sqlite:///{tmp_path.as_posix()}/store.db?{query}")
        _assert_clean(str(refused.value), query)
    assert not list(tmp_path.iterdir())


def _assert_clean(shown: str, url: str) -> None:
    assert not leaked(shown, url), shown


def test_log_lines_and_their_tracebacks_are_masked(url, caplog):
    before = logging.getLogRecordFactory()
    try:
        logs.mask_secrets()
        try:
            raise ValueError(outside(url))
        except ValueError:
            logging.getLogger("some.library").exception("failed: %s", url)
    finally:
        logging.setLogRecordFactory(before)
    assert "failed:" in caplog.text and not leaked(caplog.text, url)


@pytest.mark.parametrize("words", [
    "Authorization: Bearer c4nary-of-a-header", "{'Authorization': 'Basic dTpjNG4='}", '{"x-api-key": "c4nary"}',
    "headers: Cookie: session=c4nary; other=c4nary", "PGPASSWORD=c4nary psql", "psql?pass=c4nary", "dbpassword: c4nary",
    "https://api.telegram.org/bot12345:c4nary-AAA/sendMessage", "GET /x?signature=c4nary&limit=5", '{"pass": "c4nary"}',
])  # fmt: skip
def test_secrets_that_no_variable_names_are_masked_by_where_they_stand(words):
    assert "c4n" not in masked(words) and "dTpj" not in masked(words) and "***" in masked(words)


@pytest.mark.parametrize("words", [
    "all gates pass: 12 of 12", "gate: pass", "the author=me", "basic knowledge of the market", "signature of the bar",
])  # fmt: skip
def test_ordinary_words_stay_as_they_are(words):
    assert masked(words) == words


@pytest.mark.parametrize("open_url", [
    "postgresql://user@host:5432/database", "sqlite:////folder/store.db", "postgresql://h/d?sslmode=require&user=u",
    "https://api.telegram.org/x?symbol=EURUSD", "see https://example.com/a/b.html#",
])  # fmt: skip
def test_open_addresses_stay_as_they_are(open_url):
    assert masked(open_url) == open_url


def test_every_file_of_a_report_run_is_without_the_canary(house, monkeypatch):
    url = SPELLINGS["with the user"]
    monkeypatch.setenv(engine.URL_VARIABLE, url)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    cells = [
        "words = ''\nfails = False",
        "import os, sys\nfrom IPython.display import display\nfrom smcdesk.reports.runner import RESULT_MIME\n"
        "said = words + ' ' + str(dict(os.environ))\nprint(said)\nprint(said, file=sys.stderr)",
        "said",
        "display({RESULT_MIME: {'sentence': said}, 'text/plain': said}, raw=True)",
        "if fails: raise ValueError(said)",
    ]
    path = house / "nbs/reports/canary_report.ipynb"
    template(path, *cells)
    for fails in (False, True):
        values = {"words": outside(url), "fails": fails}
        done = runner.run_report("canary_report", values, root=house, now=datetime.now(UTC), slot=f"canary-{fails}")
        assert done.status == ("failed" if fails else "ok") and not leaked(done.error, url)
    path.unlink()
    index.write(house)
    files = [p for p in (house / "notebooks_out").rglob("*") if p.is_file()]
    assert len(files) > 6
    for file in files:
        assert not leaked(file.name + file.read_text(errors="replace"), url), file.name
