"""What does BitMEX's REST interface give of trades and settled funding?

Endpoints of www.bitmex.com/api/explorer (read 2026-11): trade and funding, by time with both edges included,
1,000 (500) rows a page that `start` turns, 30 calls a minute without an account. Rows are those of the
stream, so the stream's parser reads them, and a trade that was collected has the same key. Asked without
ccxt, which no longer has this venue.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from deleverage.data.backfill.days import now_ns
from deleverage.data.backfill.web import Web, base_url
from deleverage.data.sources.base import State
from deleverage.data.sources.bitmex import Bitmex as Stream
from deleverage.schema import LAKE_TABLES

if TYPE_CHECKING:
    import polars as pl

APART_S = 2.0
"""Pause between two calls: 30 a minute are allowed without an account."""
_PAGE = {"trade": 1000, "funding": 500}
_TABLES = {"trades": "trade", "funding": "funding"}


@dataclass
class Bitmex:
    """BitMEX; ``url`` is another server that speaks its endpoints."""

    web: Web
    url: str = ""
    _stream: Stream = field(default_factory=Stream)
    _state: State = field(default_factory=State)

    def fetch(self, kind: str, symbol: str, start_ms: int, end_ms: int) -> pl.DataFrame:
        """Rows of 'trades' or 'funding' with start ≤ time < end [ms UTC], as of the lake's table."""
        import polars as pl

        if symbol not in self._state.instruments:
            self._ask("instrument", {"symbol": symbol}, self._learn)
        name = _TABLES[kind]
        asked = {
            "symbol": symbol,
            "count": _PAGE[name],
            "startTime": _iso(start_ms),
            "endTime": _iso(end_ms - 1),
            "reverse": "false",
        }
        rows: list[tuple[Any, ...]] = []
        start = 0
        while True:
            count, found = self._ask(name, {**asked, "start": start}, lambda body: self._read(name, body))
            rows += found
            if count < _PAGE[name]:
                break
            start += count
        declared = LAKE_TABLES[kind]
        frame = pl.DataFrame(
            rows, schema={one.name: getattr(pl, one.dtype) for one in declared.columns}, orient="row"
        )
        inside = pl.col("time_ns").is_between(start_ms * 1_000_000, end_ms * 1_000_000, closed="left")
        return frame.filter(inside)

    def _ask(self, name: str, params: dict[str, Any], read: Any) -> Any:
        base = base_url(self.url) if self.url else self._stream.rest
        return self.web.get_read(f"{base}/api/v1/{name}?{urlencode(params)}", read)

    def _learn(self, body: bytes) -> None:
        self._stream.read_answer("instrument", "", json.loads(body), 0, self._state)

    def _read(self, name: str, body: bytes) -> tuple[int, list[tuple[Any, ...]]]:
        data = json.loads(body)
        if not isinstance(data, list):
            raise TypeError(f"a list was expected, not {type(data).__name__}")
        message = {"table": name, "action": "insert", "data": data}
        parsed = self._stream.read(message, now_ns(), self._state)
        return len(data), [row for _, rows in parsed.rows for row in rows]


def _iso(time_ms: int) -> str:
    at = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"
