"""`smcdesk outbox …`: messages to people, and what became of them."""

from __future__ import annotations

from typing import Annotated

import typer

from smcdesk.commands.console import Env
from smcdesk.commands.output import Json, show_rows

app = typer.Typer(no_args_is_help=True, help="Messages to people: signal alerts, failures, digests.")


@app.command("list")
def outbox_list(
    status: Annotated[str, typer.Option(help="queued, sent, failed or expired; else all.")] = "",
    kind: Annotated[str, typer.Option(help="signal, failure, digest or quality; else all.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, the newest.")] = 20,
    as_json: Json = False,
    env: Env = "base",
):
    "The newest messages: where they go, how far they got, and why not farther."
    from smcdesk.notifications import outbox
    from smcdesk.store import Store

    with Store(env=env) as store:
        found = outbox.listing(store, status=status, kind=kind, limit=limit)
    rows = []
    for row in found.itertuples():
        waits = row.status == "queued" and row.next_attempt_at == row.next_attempt_at
        rows.append({
            "time (UTC)": row.time, "subject": row.subject, "channel": row.channel, "status": row.status,
            "tries": row.attempts, "next try": row.next_attempt_at if waits else None, "key": row.key,
            "error": row.error,
        })  # fmt: skip
    show_rows(rows, as_json, empty="the outbox holds no such message", wide=150)


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
