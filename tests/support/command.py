"""The `smcdesk` command inside the test's process."""

from typer.testing import CliRunner

from smcdesk.__main__ import app


def smcdesk(*words, text: str | None = None) -> tuple[int, str, str]:
    "Exit code, stdout and stderr of a command line; an error that no sentence was made of is raised."
    done = CliRunner().invoke(app, [str(w) for w in words], input=text)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def run_in(out: str) -> str:
    "The run's id in a command's output: the first 32 hex digits."
    return next(w.strip(";,.") for w in out.split() if len(w.strip(";,.")) == 32)
