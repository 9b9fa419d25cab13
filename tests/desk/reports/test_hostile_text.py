"""Everything from outside is text: in tables, sentences, pages, the index, messages and on the terminal."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from html import unescape
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from report_template import template

from smcdesk.commands import console
from smcdesk.notifications import messages, outbox
from smcdesk.project.redaction import one_line
from smcdesk.reports import daily_digest, index, runner, text

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">{{7*7}} ${7*7} "
    "[link](javascript:alert(1)) ![p](http://x.invalid/p.png) </td></table><h1>x\x1b[31mred\x1b[0m\u202eabc & \"q\" 'q'"
)
LIVE = re.compile(r"<(script|img|h1|svg|iframe|a)[\s>/]", re.I)


def test_table_shows_hostile_cells_heads_and_labels_as_text():
    frame = pd.DataFrame(
        {HOSTILE: [HOSTILE, 1.5], "object": [[HOSTILE], {"a": HOSTILE}], "category": pd.Categorical([HOSTILE, "b"])},
        index=pd.Index([HOSTILE, "b"], name=HOSTILE),
    )
    frame.columns.name = HOSTILE
    for with_index in (True, False):
        page = text.table(frame, index=with_index)._repr_html_()
        assert not LIVE.search(page) and "\u202e" not in page and "\x1b" not in page
        assert "document.title='owned'" in unescape(page) and "{{7*7}}" in page
    assert HOSTILE[:20] in repr(text.table(frame))


@pytest.mark.parametrize("wrapped", [HOSTILE, f"**{HOSTILE}**", f"`{HOSTILE}`", f"- {HOSTILE}\n- b", f"a\n\n{HOSTILE}"])
def test_paragraph_shows_hostile_words_as_text(wrapped):
    page = text.paragraph(wrapped)._repr_html_()
    assert not LIVE.search(page) and "\x1b" not in page and "[link](javascript:alert(1))" in page


def test_paragraph_keeps_bold_code_lists_and_line_ends():
    assert text.paragraph("**a** `b`  \nc\n\n- d\n- e")._repr_html_() == (
        "<p><strong>a</strong> <code>b</code><br>c</p>\n<ul><li>d</li><li>e</li></ul>"
    )


def test_table_shows_long_sentences_whole_and_figures_as_before():
    long = "a sentence that goes on " * 10
    page = text.table(pd.DataFrame({"why": [long], "x": [1.5]}))._repr_html_()
    assert long.strip() in page and "1.5" in page


def test_templates_show_tables_and_sentences_only_by_text(root):
    for path in sorted((root / "nbs/reports").glob("*.ipynb")):
        code = "\n".join(
            "".join(c["source"]) for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"
        )
        for word in (".style", "Markdown", "HTML(", "Latex(", "Javascript("):
            assert word not in code, f"{path.name} shows something by {word}"
        for line in code.splitlines():
            if re.fullmatch(r"[a-z_]+\.[a-z_]+\(.*\)", line):  # a bare value: a figure, or nothing
                assert line.startswith("figures."), f"{path.name}: {line} is shown without table()"


def hostile_period():
    news = SimpleNamespace(
        times=np.array([pd.Timestamp("2024-03-08 12:00").value]), currencies=("ALL",), titles=(HOSTILE,)
    )
    workspace = SimpleNamespace(calendar=SimpleNamespace(news=news), configs={})
    return SimpleNamespace(until=pd.Timestamp("2024-03-08 10:00", tz="UTC"), workspace=workspace)


def test_news_titles_are_text_in_the_digest():
    page = text.table(daily_digest.news(hostile_period()))._repr_html_()
    assert not LIVE.search(page) and "document.title='owned'" in unescape(page)


@pytest.fixture
def page(house):
    """A report run whose every outside value is hostile, and the index beside it."""
    cells = [
        "words = ''",
        "import sys\nimport pandas as pd\nfrom IPython.display import display\n"
        "from smcdesk.reports.runner import RESULT_MIME\nfrom smcdesk.reports.text import paragraph, table\n"
        "print(words)\nprint(words, file=sys.stderr)",
        "table(pd.DataFrame({words: [words]}, index=[words]), index=True)",
        "paragraph(f'**{words}**')",
        "words",
        "pd.DataFrame({words: [words]})",
        "display({RESULT_MIME: {'sentence': words, words: 1.0}, 'text/plain': 'kept'}, raw=True)",
        "if 'fail' in words: raise ValueError(words)",
    ]
    path = house / "nbs/reports/hostile_report.ipynb"
    template(path, *cells)
    yield lambda words: runner.run_report("hostile_report", {"words": words}, root=house, now=datetime.now(UTC))
    path.unlink()


def test_report_pages_and_index_show_hostile_values_as_text(page, house, tmp_path):
    fine, failed = page(HOSTILE), page(HOSTILE + " fail")
    assert (fine.status, failed.status) == ("ok", "failed")
    assert "\x1b" not in failed.error and "\n" not in failed.error
    pages = [fine.html, failed.html, house / "notebooks_out/index.html"]
    for path in pages:
        body = path.read_text().split("<body>", 1)[1].split("<script>\n", 1)[0]
        assert not re.search(r"<(script|h1>x|iframe)|<img src=.?x|javascript:alert\(1\)['\"]>", body), path.name
        assert "document.title=" in unescape(body)
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no browser on this machine")
    for path in pages:
        seen = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom",
             path.as_uri()], capture_output=True, text=True, timeout=120,
        ).stdout  # fmt: skip
        assert "</html>" in seen and "<title>owned</title>" not in seen, path.name


def test_index_row_of_a_hostile_record_is_text(tmp_path):
    folder = tmp_path / "notebooks_out/hostile/2024/03/08"
    folder.mkdir(parents=True)
    record = {"status": "failed", "started": "2024-03-08T10:00:00+00:00", "error": HOSTILE, "run_id": HOSTILE}
    record |= {"params": {"symbol": HOSTILE, HOSTILE: HOSTILE}, "result": {HOSTILE: 1.0}}
    (folder / "x.json").write_text(json.dumps(record))
    body = index.write(tmp_path).read_text().split("<tbody", 1)[1].split("</tbody>", 1)[0]
    assert not LIVE.search(body.replace("<a href", "")) and "document.title=" in unescape(body)


def test_messages_are_plain_lines():
    rows, at = [], pd.Timestamp("2024-03-08").value
    store = SimpleNamespace(record_messages=lambda new: rows.extend(new) or len(new))
    failure = messages.failure_message("r", "s", HOSTILE + "\nNEXT buy", at, params={"p": HOSTILE + "\nWHY x"})
    digest = messages.digest_message("2024-03-08", {"news": [HOSTILE + "\n- b"]}, at, summary="s")
    assert all(outbox.enqueue(store, **message) for message in (failure, digest))
    for row in rows:
        assert not {"\x1b", "\u202e"} & {*row["text"], *row["subject"]} and "<script>" in row["text"]
        assert not any(line in row["text"] for line in ("\nNEXT", "\nWHY", "\n- b"))


def test_terminal_gets_no_control_characters(capsys, tmp_path):
    assert one_line("a\x1b[2Jb\r\nc\x07") == "a[2Jb c"
    done = runner.ReportResult("r", "s", "ok", "", {}, {"sentence": HOSTILE}, "", *(tmp_path / "[red]x",) * 3)
    console.say_where(done)
    out = capsys.readouterr().out
    assert "\x1b" not in out and "[red]x" in out
