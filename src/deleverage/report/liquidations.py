"""How do measured liquidations look on one screen: what was shown, what is behind it, by whose count?"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from deleverage.measure.throttled.liquidations import ALL_COINS, Liquidations
from deleverage.report import style
from deleverage.report.lines import HEAD, SOFT, Line, Piece, flow, fold, render, table
from deleverage.report.style import MISSING, THIN

_ROWS = 12
"""Coins of a venue that get rows of their own; the others are in --json."""

NOT_IDENTIFIED = "not identified"


def screen(
    found: Liquidations, start_ns: int, end_ns: int, known_ns: int | None, width: int, color: bool
) -> str:
    """The screen as text.

    start_ns, end_ns : what was asked for [ns UTC]; known_ns : nothing later was used. width : columns, from
    40 to 120; where a table does not fit, columns go.
    """
    width = max(40, min(width, 120))
    head = ["liquidations", f"{_when(start_ns)} – {_when(end_ns)} UTC"]
    if known_ns is not None:
        head.append(f"as known at {_when(known_ns)}")
    lines = flow([Piece(head[0], HEAD), *(Piece(text) for text in head[1:])], width, " · ")
    measured = found.whole.filter(pl.col("publishes") != "inherited")
    for (venue, feed), rows in measured.group_by("venue", "feed", maintain_order=True):
        lines += [[], *_venue(str(venue), str(feed), rows, width)]
    lines += _vendors(found.whole.filter(pl.col("publishes") == "inherited"), width)
    windows = any("windows" in piece.text for line in lines for piece in line)
    lines += [[], *_words(measured, width, windows)]
    return render(lines, width, color)


def _venue(venue: str, feed: str, rows: pl.DataFrame, width: int) -> list[Line]:
    first = rows.row(0, named=True)
    lines = flow([Piece(venue, HEAD), Piece(f"by {feed}"), Piece(_kind(first), _look(first))], width, " · ")
    both = rows.filter(pl.col("side") == "both").sort("shown_usd", descending=True, nulls_last=True)
    coins = both.filter(pl.col("coin") != ALL_COINS)["coin"].to_list()
    cells = []
    for coin in ([ALL_COINS] if len(coins) > 1 else []) + coins[:_ROWS]:
        sides = rows.filter(pl.col("coin") == coin).rows_by_key("side", named=True, unique=True)
        names = ("long", "short", "both") if coin == ALL_COINS or len(coins) == 1 else ("both",)
        cells += [_cells(name, sides[name], sides["long"]) for name in names if sides[name]["shown"]]
    head = ["coin", "long", "shown", "shown $", "true number", "true $", "windows"]
    for columns in (range(7), (0, 1, 2, 3, 4, 5), (0, 1, 3, 5)):
        made = table([head[k] for k in columns], [[row[k] for k in columns] for row in cells], width)
        if made is not None:
            lines += made
            break
    else:
        for row in cells:
            lines += fold(" · ".join(text for text in row if text), width, "", indent=2, hang=2)
    if len(coins) > _ROWS:
        lines += fold(f"{len(coins) - _ROWS} coins more in --json", width, SOFT, indent=2)
    return lines


def _cells(side: str, row: dict[str, Any], long: dict[str, Any]) -> list[str]:
    return [
        row["coin"] if side == "both" else f"{row['coin']} {side}", _long(side, row, long),
        style.number(row["shown"]), style.usd(row["shown_usd"]), _count(row), _usd(row),
        "–" if row["occupied_share"] is None else style.percent(row["occupied_share"]),
    ]  # fmt: skip


def _long(side: str, row: dict[str, Any], long: dict[str, Any]) -> str:
    """Share of longs in what was shown of both sides."""
    if side != "both" or not row["shown_usd"]:
        return ""
    return style.percent(long["shown_usd"] / row["shown_usd"], 0)


def _count(row: dict[str, Any]) -> str:
    if row["publishes"] == "all":
        return "= shown"
    low, high = row["count_low"], row["count_high"]
    if high is None:
        return MISSING if low is None else f"≥ {style.number(low)}"
    return f"{style.significant(row['count'], 2)} [{style.significant(low, 2)}, {style.significant(high, 2)}]"


def _usd(row: dict[str, Any]) -> str:
    if row["publishes"] == "all":
        return "= shown"
    low, high = row["usd_low"], row["usd_high"]
    if high is None:
        return MISSING if low is None else f"≥ {style.usd(low)}"
    middle = high if row["usd"] is None else row["usd"]
    text = style.usd_interval({"p05": low, "p50": middle, "p95": high})
    return f"≤ {style.usd(high)}, ≥ {style.usd(low)}" if row["usd"] is None else text


def _kind(row: dict[str, Any]) -> str:
    match row["publishes"]:
        case "all":
            return "shows all"
        case "throttled":
            which = {"first": "the first", "latest": "the latest", "largest": "the largest"}
            return f"shows at most one a second and symbol: {which.get(row['rule'], 'nobody says which')}"
        case _:
            return "not known how much it shows"


def _look(row: dict[str, Any]) -> str:
    return "" if row["publishes"] == "all" else "warning"


def _vendors(rows: pl.DataFrame, width: int) -> list[Line]:
    """Vendors' sums, a line a vendor and coin."""
    lines: list[Line] = []
    for (venue, vendor, coin), sides in rows.group_by("venue", "feed", "coin", maintain_order=True):
        parts = [f"{side} {style.usd(usd)}" for side, usd in sides.select("side", "shown_usd").iter_rows()]
        whose = f"{vendor}, {coin}" if venue == "all" else f"{vendor} for {venue}, {coin}"
        lines += flow([Piece(whose, HEAD), *(Piece(part) for part in parts)], width, " · ", indent=2)
    if not lines:
        return []
    note = "vendors' sums: as throttled as what they add up, over venues of their choice"
    return [[], *fold(note, width, SOFT), *lines]


def _words(rows: pl.DataFrame, width: int, windows: bool) -> list[Line]:
    """What the columns mean, and where the band comes from."""
    lines: list[Line] = []
    throttled = rows.filter(pl.col("bursts_from") != "")
    if throttled.height:
        lines += fold(f"true: 50{THIN}% point [5, 95] of what stands behind the feed.", width, SOFT)
        if windows:
            dead = "first" in throttled["rule"].to_list()
            what = "time in which the feed could show none" if dead else "seconds with a published event"
            lines += fold(f"windows: {what}, mean over symbols.", width, SOFT)
        whose = sorted(throttled["bursts_from"].unique().to_list())
        bursts = float(np.median(throttled["burst_mean"].to_numpy()))
        if whose == ["full feeds"]:
            lines += fold(
                f"Bursts within a window, {style.significant(bursts, 2)} events in the middle, are "
                "learnt from venues whose feed shows all.", width, SOFT,
            )  # fmt: skip
        else:
            lines += fold(
                "No venue with a full feed was near: how many events stand behind one shown is a prior, "
                "and the lower end supposes one each.", width, "warning",
            )  # fmt: skip
    if rows.filter(pl.col("usd_high").is_null() & (pl.col("publishes") == "throttled")).height:
        lines += fold(
            "≥: every window near by is full; the feed bounds the total from below only.", width, SOFT
        )
    return lines


def _when(time_ns: int) -> str:
    found = style.moment(time_ns)
    assert found is not None  # an integer always is one
    return found.strftime("%Y-%m-%d %H:%M")
