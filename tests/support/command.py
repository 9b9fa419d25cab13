"""The `smcdesk` command inside the test's process."""

from functools import cache

import typer.testing
from typer.main import get_command

from smcdesk.__main__ import app

typer.testing._get_command = cache(get_command)  # the tree of commands is built once, not for every line


def smcdesk(*words, text: str | None = None) -> tuple[int, str, str]:
    "Exit code, stdout and stderr of a command line; an error that no sentence was made of is raised."
    done = typer.testing.CliRunner().invoke(app, [str(w) for w in words], input=text)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def run_in(out: str) -> str:
    "The run's id in a command's output: the first 32 hex digits."
    return next(w.strip(";,.") for w in out.split() if len(w.strip(";,.")) == 32)
