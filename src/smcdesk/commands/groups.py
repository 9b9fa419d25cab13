"""How commands are found and how their errors are shown: the classes behind Typer's groups."""

from __future__ import annotations

import errno
import sys

import typer
from typer.core import TyperGroup

INTERRUPTED = 130  # exit code: 128 and the number of SIGINT
STAYS = {  # a command or its group -> what an interruption leaves, and how to go on
    "fetch": "the candles fetched so far are stored; the same command goes on from there",
    "tune": "the trials that ended are stored; the same command goes on from there",
    "scan": "the series scanned so far are stored; the same --slot decides only what is left",
    "ui": "every run is as it was",
}
STAYS_ELSE = "every file is whole: what was written before this run, and what its finished steps wrote"
UsageError = typer.BadParameter.__base__  # click's, or the one Typer brings in its place


class FriendlyErrors(TyperGroup):
    "Commands whose fixable errors are one sentence on stderr and exit code 2, 1 where waiting may help."

    def parse_args(self, ctx, args):
        "`-p key value` is read as `-p key=value`."
        try:
            return super().parse_args(ctx, joined_params(args))
        except UsageError as error:
            raise _usage(error) from None

    def resolve_command(self, ctx, args):
        "The command of that name; an unknown one is refused with the nearest."
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from smclab.candles import BadConfig, nearest

            names = self.list_commands(ctx)
            raise BadConfig(f"there is no command {args[0]!r}{nearest(args[0], names)} Known: {', '.join(names)}.")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx):
        "Run the command; `--debug` keeps the traceback."
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise _usage(error) from None
        except KeyboardInterrupt:
            typer.echo(f"smcdesk: interrupted; {STAYS.get(ctx.invoked_subcommand, STAYS_ELSE)}", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            found = None if ctx.params.get("debug") or isinstance(error, typer.Exit) else _fixable(error)
            if found is None:
                raise
            from smcdesk.project.redaction import one_line

            typer.echo(f"smcdesk: {one_line(found)}", err=True)
            raise typer.Exit(1 if isinstance(found, ConnectionError) else 2) from None


def _usage(error: UsageError) -> Exception:
    "A wrong word on the command line: said in one sentence; a group without a command shows its help."
    if not error.format_message().strip() or type(error).__name__ == "NoArgsIsHelpError":
        return error
    from smcdesk.project.redaction import one_line

    where = error.ctx.command_path if error.ctx else "smcdesk"
    typer.echo(f"smcdesk: {one_line(error.format_message()).rstrip('.')}; see {where} --help", err=True)
    return typer.Exit(2)


class ReportCommands(TyperGroup):
    "`run` and `list`; a report's name in their place is answered with the command that runs it."

    def resolve_command(self, ctx, args):
        "The command of that name; anything else is taken for a report's name and refused."
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from smclab.candles import BadConfig

            right = " ".join(["smcdesk report run", *args])
            raise BadConfig(f"a report is run with {right}; smcdesk report list names the reports")
        return super().resolve_command(ctx, args)


def _fixable(error: BaseException | None):
    "The error the user can fix, if this one is or was caused by one."
    from smclab.candles import BadBars, BadConfig

    fixable = (BadBars, BadConfig)
    if "smcdesk.tracking" in sys.modules:
        from smcdesk.tracking import TrackingDown

        fixable += (TrackingDown,)
    if "smcdesk.store" in sys.modules:
        from smcdesk.store import Contradiction, StoreDamaged, StoreDown

        fixable += (Contradiction, StoreDamaged, StoreDown)
    if "smcdesk.providers" in sys.modules:
        from smcdesk.providers import ProviderDown

        fixable += (ProviderDown,)
    first = error
    while error is not None and not isinstance(error, fixable):
        error = error.__cause__ or error.__context__
    return error or _outside(first)


def _outside(error: BaseException | None) -> Exception | None:
    "A sentence for what the machine refuses: files, databases, runs and packages; None for a defect of the program."
    from smclab.candles import BadConfig

    while error is not None:
        kind = f"{type(error).__module__}.{type(error).__name__}"
        words = (str(getattr(error, "orig", None) or error).splitlines() or [kind])[0]
        if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] not in ("smclab", "smcdesk"):
            return BadConfig(f"the package {error.name} is not installed: pip install 'smclab[lab]'")
        if kind.startswith(("sqlite3.", "sqlalchemy.exc.")) and ("Operational" in kind or "DatabaseError" in kind):
            return ConnectionError(f"a database cannot be used now ({words}): close what holds it, or restore it")
        if kind == "mlflow.exceptions.MlflowException":
            return ConnectionError(f"the tracking store cannot be used: {words}{_stale_run(words)}")
        if isinstance(error, PermissionError) or (isinstance(error, OSError) and error.errno in (30, 28, 122)):
            return ConnectionError(f"{error.filename or 'the disk'} cannot be written: {error.strerror or words}")
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            return BadConfig(f"{str(error.filename)[:80]}…: {error.strerror}")
        if isinstance(error, NotADirectoryError | IsADirectoryError | FileExistsError):
            return BadConfig(f"{error.filename}: {error.strerror}")
        error = error.__cause__ or error.__context__
    return None


def _stale_run(words: str) -> str:
    "The variable that names a run which is not there."
    import os

    name = os.environ.get("MLFLOW_RUN_ID", "")
    return "; the variable MLFLOW_RUN_ID names that run: unset it" if name and name in words else ""


def joined_params(words: list[str]) -> list[str]:
    "The words of a command line with every `-p key value` as `-p key=value`."
    joined, rest = [], iter(words)
    for word in rest:
        joined.append(word)
        if word in ("-p", "--param"):
            key = next(rest, None)
            if key is not None and "=" not in key:
                value = next(rest, None)
                key = key if value is None else f"{key}={value}"
            joined += [] if key is None else [key]
    return joined
