"""How do the tests ask for days of Binance's archive, in this process and in one of its own?"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path

from deleverage.data.backfill.patience import Patience
from deleverage.data.backfill.request import BackfillReport, Request
from deleverage.data.backfill.run import backfill
from tests.data.backfill import made
from tests.data.backfill.serving import Server

DAY = date(2025, 10, 10)
KLINES = f"{made.UM}/daily/klines/BTCUSDT/1h"
MONTHLY = f"{made.UM}/monthly/klines/BTCUSDT/1h"


def ask(
    server: Server,
    lake: Path,
    patience: Patience,
    kinds: str = "klines",
    first: date = DAY,
    last: date = DAY,
    symbol: str = "BTCUSDT",
    source: str = "binance",
    interval: str = "1h",
) -> BackfillReport:
    request = Request(source, (symbol,), tuple(kinds.split(",")), first, last, interval)
    return backfill(request, lake, url=server.url, patience=patience)


def days_of(server: Server, first: date, count: int, folder: str = KLINES) -> None:
    for day in (first + timedelta(days=n) for n in range(count)):
        server.add_zip(folder, f"BTCUSDT-1h-{day}", made.klines(day))


EVERY_DAY = (  # each day is written down by itself, so that a kill finds some written and some not
    "import sys\n"
    "from deleverage.data.backfill import archive_run\n"
    "archive_run.FLUSH_ROWS = 1\n"
    "from deleverage.cli import main\n"
    "raise SystemExit(main(sys.argv[1:]))"
)


def command(server: Server, lake: Path, last: date) -> list[str]:
    return [
        *(sys.executable, "-c", EVERY_DAY, "backfill", "binance", "BTCUSDT", "--what", "klines"),
        *(
            "--from",
            str(DAY),
            "--to",
            str(last),
            "--interval",
            "1h",
            "--lake",
            str(lake),
            "--url",
            server.url,
        ),
    ]
