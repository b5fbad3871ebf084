"""`orderlog seed`: real-looking orders through the command API, and the reckoning after it."""

import asyncio
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any

import httpx2
import typer

from cli.exit_codes import DONE, FAILED, INTERRUPTED, VERIFICATION_FAILED, explained
from cli.output import Output, Progress, print_json, say, table
from domain.currencies import written
from seeding.completejourney import CompleteJourney, DatasetMissing
from seeding.demo import ORDERS, Demo
from seeding.lives import WithLives
from seeding.orders import Dataset, Sums, Survey
from seeding.reconciliation import ReadingFailed, Reckoning, Served, reckon
from seeding.sending import Sender, SendingFailed, SendOptions, Sent

_EXAMPLES = """Examples:

orderlog seed --dataset demo

orderlog seed --dataset completejourney --orders 20000 --concurrency 8

orderlog seed --dataset completejourney --orders 2000 --lifecycle

orderlog seed --dataset completejourney --orders 5000 --rate 200 -o json
"""
_CODES = {
    FAILED: "an API does not answer, or orders were refused",
    VERIFICATION_FAILED: "what is served is not what was sent",
    INTERRUPTED: "interrupted, and goes on with the same command",
}
_TIMEOUT_S = 60.0
_COMPLETEJOURNEY_ORDERS = 1_000


class DatasetName(StrEnum):
    """The data sets there are."""

    DEMO = "demo"
    COMPLETEJOURNEY = "completejourney"


@dataclass(frozen=True, slots=True)
class _Job:
    dataset: Dataset
    orders: int
    options: SendOptions
    command_url: str
    query_url: str
    wait_s: float


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command("seed", epilog=_EXAMPLES + explained(_CODES))(seed)


Name = Annotated[DatasetName, typer.Option("--dataset", help="Which orders to send.")]
Orders = Annotated[
    int | None,
    typer.Option(
        "--orders", min=1, help="How many; default: 99 of demo, 1,000 of completejourney."
    ),
]
Lifecycle = Annotated[
    bool,
    typer.Option(
        "--lifecycle",
        help="Let the orders live: paid, sent, returned, refunded, and what goes wrong. "
        "Those of demo always do.",
    ),
]
Rate = Annotated[
    float | None,
    typer.Option("--rate", min=0.1, help="Commands per second; default: as fast as answered."),
]
Concurrency = Annotated[
    int, typer.Option("--concurrency", min=1, max=64, help="Requests at a time.")
]
CommandUrl = Annotated[
    str, typer.Option("--command-url", envvar="ORDERLOG_COMMAND_URL", help="The command API.")
]
QueryUrl = Annotated[
    str, typer.Option("--query-url", envvar="ORDERLOG_QUERY_URL", help="The query API.")
]
Wait = Annotated[
    float,
    typer.Option("--wait-seconds", min=0, help="How long to wait for the read models."),
]
As = Annotated[Output, typer.Option("--output", "-o", help="How to print the result.")]


def seed(  # noqa: PLR0913 - one per option
    *,
    dataset: Name = DatasetName.DEMO,
    orders: Orders = None,
    lifecycle: Lifecycle = False,
    rate: Rate = None,
    concurrency: Concurrency = 4,
    command_url: CommandUrl = "http://127.0.0.1:8000",
    query_url: QueryUrl = "http://127.0.0.1:8001",
    wait_seconds: Wait = 300.0,
    output: As = Output.TEXT,
) -> None:
    """Send real-looking orders through the command API and compare what is then served.

    Interrupted? Give the same command again: nothing is placed twice.
    """
    job = _Job(
        _dataset(dataset, has_lives=lifecycle),
        orders or (ORDERS if dataset is DatasetName.DEMO else _COMPLETEJOURNEY_ORDERS),
        SendOptions(rate, concurrency),
        command_url,
        query_url,
        wait_seconds,
    )
    try:
        sent, reckoning = asyncio.run(_run(job))
    except KeyboardInterrupt as error:
        say("interrupted; the same command goes on from here")
        raise typer.Exit(INTERRUPTED) from error
    except (SendingFailed, ReadingFailed) as error:
        say(f"{error}\nnothing is lost: the same command goes on from here")
        raise typer.Exit(FAILED) from error
    if output is Output.JSON:
        print_json(_described(job.dataset.survey, sent, reckoning))
    else:
        _tell(job.dataset.survey, sent, reckoning)
    raise typer.Exit(_exit_code(sent, reckoning))


def _dataset(name: DatasetName, *, has_lives: bool) -> Dataset:
    if name is DatasetName.DEMO:
        return Demo()
    try:
        orders = CompleteJourney()
    except DatasetMissing as error:
        say(str(error))
        raise typer.Exit(FAILED) from error
    return WithLives(orders) if has_lives else orders


async def _run(job: _Job) -> tuple[Sent, Reckoning]:
    async with (
        httpx2.AsyncClient(base_url=job.command_url, timeout=_TIMEOUT_S) as commands,
        httpx2.AsyncClient(base_url=job.query_url, timeout=_TIMEOUT_S) as queries,
    ):
        with Progress("sending", "orders") as progress:
            sender = Sender(
                commands, job.options, lambda orders: progress.update(orders, job.orders)
            )
            sent = await sender.send(job.dataset.orders(job.orders))
        say(f"{len(sent.orders):,} orders are placed; reading them back ...")
        return sent, await reckon(sent.orders, Served(queries, sent.position, job.wait_s))


def _exit_code(sent: Sent, reckoning: Reckoning) -> int:
    if not reckoning.is_equal:
        return VERIFICATION_FAILED
    return FAILED if sent.refused else DONE


def _described(survey: Survey, sent: Sent, reckoning: Reckoning) -> dict[str, Any]:
    return {
        "dataset": asdict(survey),
        "orders": len(sent.orders),
        "replayed": sent.replayed,
        "commands": sent.commands,
        "repeated_batches": sent.repeats,
        "refused": sent.refused,
        "seconds": round(sent.seconds, 3),
        "refusals": [asdict(refusal) for refusal in sent.refusals],
        "reconciliation": reckoning.to_json(),
    }


def _tell(survey: Survey, sent: Sent, reckoning: Reckoning) -> None:
    """Print the reckoning; what concerns the data set goes first."""
    for reason, left in survey.left_out.items():
        say(
            f"{left.rows:,} of {survey.rows:,} rows became no line: {reason} "
            f"(sales {left.sales_minor / 100:,.2f}, coupons {left.coupons_minor / 100:,.2f})"
        )
    if survey.baskets_without_order:
        say(f"{survey.baskets_without_order:,} of {survey.baskets:,} baskets became no order")
    if survey.unused_coupons_minor:
        say(f"coupons above the value of their order: {survey.unused_coupons_minor / 100:,.2f}")
    say(
        f"{len(sent.orders):,} orders with {sent.commands:,} commands; {sent.replayed:,} orders "
        f"had been placed before and were answered as replays"
    )
    for refusal in sent.refusals:
        say(
            f"refused: order {refusal.order}, {refusal.command}: {refusal.status} {refusal.code} "
            f"{refusal.detail}"
        )
    table(
        ("currency", "", "orders", "lines", "pieces", "total", "captured", "refunded", "open"),
        [
            row
            for currency in sorted(reckoning.sent.keys() | reckoning.served.keys())
            for row in (
                _row(currency, "sent", reckoning.sent.get(currency, Sums())),
                _row(currency, "served", reckoning.served.get(currency, Sums())),
            )
        ],
    )
    _tell_differences(reckoning)


def _row(currency: str, what: str, sums: Sums) -> tuple[str, ...]:
    return (
        currency,
        what,
        f"{sums.orders:,}",
        f"{sums.lines:,}",
        f"{sums.pieces:,}",
        written(sums.total_minor, currency),
        written(sums.captured_minor, currency),
        written(sums.refunded_minor, currency),
        written(sums.open_minor, currency),
    )


def _tell_differences(reckoning: Reckoning) -> None:
    for difference in reckoning.differences:
        served = "not served" if difference.served is None else f"served {difference.served}"
        typer.echo(f"order {difference.order_id}: sent {difference.sent}, {served}")
    for what in reckoning.revenue_differs or []:
        typer.echo(what)
    if reckoning.revenue_differs is None and reckoning.others:
        say(f"{reckoning.others:,} orders of others in these days: revenue report not compared")
    if reckoning.is_equal:
        typer.echo("equal: everything that was sent is served")
    else:
        typer.echo(f"NOT EQUAL: {reckoning.differing:,} orders differ")
