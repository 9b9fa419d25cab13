"""`smcdesk outbox …`: messages to people, and what became of them."""

from __future__ import annotations

from typing import Annotated

import typer

from smcdesk.commands.console import Env

app = typer.Typer(no_args_is_help=True, help="Messages to people: signal alerts, failures, digests.")


@app.command("list")
def outbox_list(
    status: Annotated[str, typer.Option(help="queued, sent, failed or expired; else all.")] = "",
    kind: Annotated[str, typer.Option(help="signal, failure, digest or quality; else all.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, the newest.")] = 20,
    env: Env = "base",
):
    "The newest messages: where they go, how far they got, and why not farther."
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from smcdesk.notifications import outbox
    from smcdesk.store import Store

    with Store(env=env) as store:
        found = outbox.listing(store, status=status, kind=kind, limit=limit)
    table = Table("time (UTC)", "subject", "channel", "status", "tries", "next try", "key", "error", box=None)
    for row in found.itertuples():
        waits = row.status == "queued" and row.next_attempt_at == row.next_attempt_at
        words = (f"{row.time:%Y-%m-%d %H:%M}", row.subject, row.channel or "-", row.status, str(row.attempts))
        later = f"{row.next_attempt_at:%m-%d %H:%M:%S}" if waits else ""
        table.add_row(*(Text(word) for word in (*words, later, row.key, row.error)))
    Console(soft_wrap=True).print(table if len(found) else "the outbox holds no such message")


@app.command("deliver")
def outbox_deliver(
    send: Annotated[
        bool | None, typer.Option("--send/--dry-run", help="Really send, or only say what would go; else as conf says.")
    ] = None,
    env: Env = "base",
):
    "Send what is due on the channels conf enables, one message a second; without --send, say what would go."
    from smcdesk.notifications import outbox

    done = outbox.deliver_by_conf(env, send=send)
    for key, channel, subject in done.would:
        typer.echo(f"would go by {channel}: {subject} ({key})")
    for what in ("failed", "delayed", "broken"):
        for key, channel, why in getattr(done, what):
            typer.echo(f"{'will be tried again' if what != 'failed' else what} by {channel}: {key}: {why}", err=True)
    if done.would or not (done.sent or done.failed or done.delayed or done.broken or done.expired):
        typer.echo(f"nothing was sent; {done.queued:,} messages wait")
    else:
        typer.echo(
            f"{len(done.sent):,} sent, {len(done.failed):,} failed, {done.expired:,} expired; {done.queued:,} wait"
        )
    if done.failed or done.broken:
        raise typer.Exit(1)


@app.command("retry")
def outbox_retry(
    key: Annotated[str | None, typer.Argument(help="A message's key; without it, every message that failed.")] = None,
    env: Env = "base",
):
    "Queue what failed once more."
    from smcdesk.notifications import outbox
    from smcdesk.store import Store

    with Store(env=env) as store:
        typer.echo(f"{outbox.retry(store, key):,} queued again; smcdesk outbox deliver sends them")
