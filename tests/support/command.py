"""The command of the Desk in this process."""

from typer.testing import CliRunner

from smcdesk.__main__ import _pairs, app


def smcdesk(*words):
    """The command in this process: exit code, stdout, stderr."""
    done = CliRunner().invoke(app, _pairs([str(w) for w in words]))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def run_in(out: str) -> str:
    """The 32 hex digits in what a command said."""
    return next(w.strip(";,.") for w in out.split() if len(w.strip(";,.")) == 32)
