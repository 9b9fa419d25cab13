"""Every command with every kind of bad word, by the command line's own tree: one sentence, nothing written, no work."""

from pathlib import Path

import pytest
from command import smcdesk
from typer.main import get_command

from smcdesk.__main__ import app

FILE = str(Path(__file__).parents[2] / "cases/files/BTCUSDT_swiss.csv")
GOOD = {  # arguments that bring a command as far as its options
    "fetch": ("BTCUSDT",), "model promote": ("1",), "quality": ("EURUSD",), "read": (FILE,), "reproduce": ("0" * 32,),
    "report run": ("replay_report",), "schedule once": ("nothing",), "store forget": ("0" * 16, "EURUSD"),
    "symbols add": (FILE,),
}  # fmt: skip
TEXT = ("\x1b[31mred\x1b[0m\nsecond line", "x" * 5000, "<script>alert(1)</script>", "../../etc/passwd", "💥")
BAD = {  # a parameter's name -> words that are wrong for it
    "against": ("nobody", *TEXT), "bars_side": ("top",), "columns": ("/", "x.xyz"), "data": ("no-such.csv", "/", *TEXT),
    "day": ("yesterday", "2024-13-45", "03/04/2024"), "decimal": (";",),
    "engine": ("abacus",), "env": ("nowhere", "../test", *TEXT),
    "file": ("no-such.csv", "/", *TEXT), "formats": ("xls", ""), "hours": ("0", "x", "9" * 30), "instrument": ("NOPE",),
    "jobs": ("x", "1.5", "0", "-7"), "key": ("nothing",), "kind": ("gossip",), "label": ("middle",),
    "limit": ("0", "-1", "x"), "name": ("nothing", *TEXT), "out": ("/", "/proc/x/y.csv"),
    "params": ("novalue", "=1", "a=1"), "policy": ("zzzz",), "port": ("x", "0", "-1", "99999999"),
    "provider": ("nobody", *TEXT), "run_id": ("nothing", *TEXT), "scheduler": ("nowhere", "tcp://"),
    "set_values": ("policy.risk.stop_atr", "=1", "policy.risk.stop_art=2", "policy.risk.stop_atr=wide", *TEXT),
    "since": ("tomorrow", "-3d", "6m", "03/04/2024", "9" * 30 + "y"),
    "status": ("lost",), "symbol": ("NOPE", *TEXT), "symbols": ("NOPE", *TEXT), "timeframe": ("7m", "", "-1h"),
    "timeframes": ("7m", ",", ""), "to": ("nothing",), "trials": ("0", "-1", "x"), "version": ("nothing", "-1"),
    "zone": ("Mars/Olympus", "UTC+99"),
}  # fmt: skip
ANY_TEXT = {"note", "slot"}  # whatever is written there is right
RIGHT = {  # a command and its parameter for which these words are right
    ("store baseline", "name"), ("store baseline", "instrument"), ("schedule install", "out"), ("store export", "out"),
         ("fetch", "symbol")}  # fmt: skip


def commands(command, path=()):
    "Every command under this one, by its path."
    if not hasattr(command, "commands"):
        yield " ".join(path), command
        return
    for name, inner in command.commands.items():
        yield from commands(inner, (*path, name))


def bad_lines(path, command):
    "Command lines that are wrong in one word."
    good = GOOD.get(path, ())
    yield [*path.split(), *good, "--no-such-option"]
    if not any(p.nargs == -1 or (p.name, path) == ("day", "store export") for p in command.params):
        yield [*path.split(), *good, *["surplus"] * (1 + sum(p.param_type_name == "argument" for p in command.params))]
    if good:
        yield path.split()
    for p in command.params:
        if p.name in ANY_TEXT or (path, p.name) in RIGHT or getattr(p, "is_flag", False):
            continue
        first = next(other for other, c in TREE.items() if any(q.name == p.name for q in c.params))
        for word in BAD[p.name] if path == first else BAD[p.name][:1]:  # what all share is tried once
            if p.param_type_name == "argument":
                yield [*path.split(), word, *good[1:]]
            else:
                yield [*path.split(), *good, p.opts[0], word]
        if p.param_type_name == "option":
            yield [*path.split(), *good, p.opts[0]]


TREE = dict(commands(get_command(app)))


def written(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix != ".lock"}


@pytest.fixture
def no_work(monkeypatch):
    "Fails where a wrong word starts what the right one would."

    def work(*_, **__):
        raise AssertionError("a wrong word was not refused before the work began")

    for place in (
        "smcdesk.runs.session.run_pipelines", "smcdesk.reports.runner._execute", "smcdesk.scanning.scanner.scan",
        "smcdesk.marketdata.sync.sync_history", "os.execv",
    ):  # fmt: skip
        monkeypatch.setattr(place, work)


@pytest.mark.parametrize("path", TREE)
def test_every_bad_word_is_one_sentence_and_writes_nothing(house, no_work, monkeypatch, path):
    monkeypatch.chdir(house)
    before, wrong = written(house), []
    for words in bad_lines(path, TREE[path]):
        try:
            code, _, err = smcdesk(*words)
        except BaseException as error:
            wrong.append((words, repr(error)[:300]))
            continue
        if code not in (1, 2) or len(err.splitlines()) != 1 or not err.startswith("smcdesk: ") or "\x1b" in err:
            wrong.append(([w[:60] for w in words], code, err[:300]))
    wrong += [("written", name) for name in sorted(written(house) - before)]
    assert not wrong, "\n".join(map(str, wrong))
