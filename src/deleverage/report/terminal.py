"""What does `deleverage run` print at the end? One screen: what happened, and how much was mechanical.

The screen is built as lines of marked-up pieces, folded to the width first and coloured last, so that plain
text in a pipe has exactly the letters that the coloured screen has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import polars as pl
from rich.cells import cell_len

from deleverage.experiment.answer import Answer
from deleverage.report import style, words
from deleverage.report.figures.series import interval_of
from deleverage.report.lines import HEAD, SOFT, Line, Piece, bar, ends, flow, fold, pairs_of, render, table
from deleverage.report.style import THIN

_NARROWEST = 40
_ORDER = 21
"""Cells for `first 10, last 100` and the gap before it."""


def screen(answer: Answer, *, width: int = 100, color: bool = False, note: str = "") -> str:
    """The screen as text; with ``color`` it carries the terminal's colour codes.

    Parameters
    ----------
    width : columns of the terminal, used from 40 to 120; with less room columns lose their intervals, then
        tables turn into blocks.
    color : false for pipes and NO_COLOR, which the caller finds out.
    note : path of the note, named at the end when given.
    """
    width = max(_NARROWEST, min(width, 120))
    lines: list[Line] = []
    for block in (
        _head(answer, width),
        _markets(answer, width),
        _absorbed(answer.summary, width),
        _shares(answer.summary, width),
        _closing(answer, width, note),
    ):
        if block:
            lines += [*block, []]
    return render(lines[:-1], width, color)


def _head(answer: Answer, width: int) -> list[Line]:
    summary = answer.summary
    subsets = answer.tables["values"].filter(pl.col("simulated"))["subset"].n_unique()
    facts = [
        summary.get("title") or "",
        " ".join(summary["markets"]),
        f"{summary['seeds']} seeds × {subsets} subsets",
        f"{style.number(summary['accounts'])} accounts",
        f"{style.clock(summary['start'])}–{style.clock(summary['end'])} UTC",
        style.duration(summary.get("wall_s")),
    ]
    lines = flow([Piece(summary["scenario"], HEAD), *(Piece(fact) for fact in facts if fact)], width, " · ")
    for warning in words.warnings(summary):
        lines += fold(f"! {warning}", width, "warning", hang=2)
    return lines


def _markets(answer: Answer, width: int) -> list[Line]:
    """A row a market; with less room the intervals of lesser columns go, then the table turns into blocks."""
    markets = answer.summary["markets"]
    lines: list[Line] = []
    head = ["", "drop", "low at", "recovered", "liquidated", "ADL"]
    for detail in (3, 2, 1, 0):
        # ADL by market goes last: its total stands below in any case
        found = table(
            head if detail else head[:-1], [_market_row(answer, market, detail) for market in markets], width
        )
        if found is not None:
            lines += found
            break
    else:
        for market in markets:
            row = _market_row(answer, market, 2)
            lines.append([Piece(f"  {market}", HEAD)])
            lines += pairs_of([(name, [value]) for name, value in zip(head[1:], row[1:], strict=True)], width)
    for market in markets:
        lines += _observed(answer.summary, market, width)
    return lines


def _market_row(answer: Answer, market: str, detail: int) -> list[str]:
    """The cells of one market: 3 every interval, 2 of drop and liquidated, 1 of the drop, 0 without ADL."""
    price = answer.summary["price"][market]
    after = style.parts(price.get("trough_after_s"))
    start = style.moment(answer.summary["start"])
    low = (
        style.MISSING
        if after is None or start is None
        else style.clock(round(start.timestamp() + after[1]) * 1_000_000_000)
    )
    draws = answer.tables["draws"].filter(pl.col("market") == market)
    long, short, adl = (draws[f"{name}_usd"] for name in ("liquidated_long", "liquidated_short", "adl"))
    total = long + short
    forced = style.usd_interval(interval_of(total))
    recovered, deleveraged = (
        style.percent_interval(price["recovered_share"]),
        style.usd_interval(interval_of(adl)),
    )
    if detail < 3:
        recovered, deleveraged = _point(recovered), _point(deleveraged)
    if detail < 2:
        forced = _point(forced)
    mean_total, mean_long = _mean(total), _mean(long)
    if mean_total > 0 and detail:
        forced += f" ({style.percent(mean_long / mean_total, 0)} long)"
    row = [market, style.fall(price["drop"]), low, recovered, forced, deleveraged]
    return row if detail else row[:-1]


def _point(text: str) -> str:
    """The middle of an interval without its ends."""
    return text.split(" [")[0]


def _observed(summary: dict[str, Any], market: str, width: int) -> list[Line]:
    observed = (summary.get("observed") or {}).get(market)
    if not observed:
        # one line for the market that the screen is about; a line for each absent one would drown the rest
        return (
            fold(f"observed {market}: no real candles given", width, SOFT, indent=2)
            if market == summary["markets"][0]
            else []
        )
    place = "inside" if observed["inside"] else "OUTSIDE"
    return fold(
        f"observed {market} {style.fall_point(observed['drop'])} {_when(observed)} · "
        f"{place} the 90{THIN}% band",
        width,
        HEAD if observed["inside"] else "warning",
        indent=2,
    )


def _when(observed: dict[str, Any]) -> str:
    """When the real low was, as finely as the bars tell."""
    clock = style.clock(observed["low_at"])
    return f"in the hour from {clock}" if (observed.get("bar_s") or 60) >= 3600 else f"at {clock}"


def _absorbed(summary: dict[str, Any], width: int) -> list[Line]:
    filled = summary.get("filled_by") or {}
    adl = summary.get("adl") or {}
    if not words.anything_liquidated(summary):
        return fold(f"nothing was closed by force in any of {summary['seeds']} seeds", width, indent=2)
    pairs = [
        (
            "forced",
            [
                style.usd_interval(summary["liquidations"]["total_usd"]),
                f"peak minute {style.usd_interval(summary['liquidations']['peak_minute_usd'])}",
            ],
        ),
        (
            "filled by",
            [
                f"book {style.usd_interval(filled.get('book_usd'))}",
                f"takeover {style.usd_interval(filled.get('takeover_usd'))}",
                f"ADL {style.usd_interval(filled.get('adl_usd'))}",
            ],
        ),
    ]
    for name, fund in (summary.get("insurance_fund") or {}).items():
        pairs.append(
            (
                f"fund {name.replace('_', ' ').upper()}",
                [_fund(fund)],
            )
        )
    reached = adl.get("runs_reached") or 0
    first = (
        [f"first after {style.duration_interval(adl['first_after_s'])}"] if adl.get("first_after_s") else []
    )
    for name, asset in (summary.get("collateral") or {}).items():
        pairs.append((f"collateral {name}", words.collateral_text(asset)))
    pairs.append(("ADL", [f"reached in {reached} of {summary['seeds']} seeds", *first]))
    return pairs_of(pairs, width)


def _fund(fund: dict[str, Any]) -> str:
    """What a fund held and how that changed; the band of the change, not that of the prior on the start."""
    change = fund.get("change_usd")
    if style.parts(change) is None:
        return f"{style.usd(fund['before_usd'])} → {style.usd_interval(fund['after_usd'])}"
    return f"{style.usd(fund['before_usd'])} · change {style.usd_interval(change)}"


def _shares(summary: dict[str, Any], width: int) -> list[Line]:
    market = summary["markets"][0]
    share = summary["mechanical_share"][market]
    if words.observed_mean(share) is None:
        return fold(f"How much of {market}'s fall was mechanical: not computed", width, HEAD, indent=2)
    value = words.share_text(share)
    value = (
        value.replace("]", f" over priors · {words.error_text(share)} Monte Carlo]")
        if "[" in value
        else f"{value} [{words.error_text(share)} Monte Carlo]"
    )
    lines = ends(f"How much of {market}'s fall was mechanical", value, width)
    if words.verdict(share) == "none":
        lines += fold(
            "an interval includes 0: this run does not show that any of it was", width, "warning", indent=2
        )
    parts = [p for p in words.parts_of(summary, market) if not p.strong]
    lines += _bars(parts, width)
    others = summary["markets"][1:]
    if others:
        said = [f"{m} {words.share_text(summary['mechanical_share'][m])}" for m in others]
        lines += flow(
            [Piece(f"mechanical in {said[0]}"), *(Piece(text) for text in said[1:])], width, " · ", indent=2
        )
    return lines


def _bars(parts: Sequence[words.Part], width: int) -> list[Line]:
    """One line a row where there is room; else the order interval moves to a line of its own."""
    name_width = max(cell_len(p.name) for p in parts)
    # what the widest bar gets: all but margin, name, figure, and the order interval where it fits beside
    room = width - 2 - name_width - 2 - 8
    one_line = room - _ORDER >= 8
    room -= _ORDER if one_line else 0
    stacked = room < 8
    room = min(26, width - 12) if stacked else min(26, room)
    largest = max([abs(p.mean) for p in parts] + [0.01])
    lines: list[Line] = []
    for part in parts:
        filled = bar(part.mean / largest, room)
        colour = "mechanical" if part.mechanical else "other"
        value = style.percent(part.mean, 0 if abs(part.mean) >= 0.1 or part.mean == 0 else 1)
        order = ""
        if part.first_in is not None and part.last_in is not None and (part.first_in or part.last_in):
            order = f"first {style.number(part.first_in * 100)}, last {style.number(part.last_in * 100)}"
        filled += " " * (room - cell_len(filled))
        if stacked:
            lines += fold(part.name, width, indent=2)
            lines.append([Piece("    "), Piece(filled, colour), Piece(f"{value:>7}")])
        else:
            lines.append(
                [
                    Piece(f"  {part.name}{' ' * (name_width - cell_len(part.name))}  "),
                    Piece(filled, colour),
                    Piece(f"{value:>7}"),
                ]
            )
        if order and one_line:
            lines[-1].append(Piece(f"   {order}", SOFT))
        elif order:
            lines.append([Piece(f"    {order}", SOFT)])
    return lines


def _closing(answer: Answer, width: int, note: str) -> list[Line]:
    summary = answer.summary
    market = summary["markets"][0]
    tipping = (summary.get("tipping") or {}).get(market) or {}
    pieces = [f"{market} n(x) near the start {style.plain_interval(tipping.get('n_start'))}"]
    if style.parts(tipping.get("crosses_one_at")) is None:
        pieces.append("does not reach 1")
    else:
        draws = words.of_draws(tipping, "crosses_one_in", summary["seeds"])
        pieces.append(
            f"reaches 1{draws}{', there' if draws else ''} at {style.fall(tipping['crosses_one_at'])}"
        )
    if style.parts(tipping.get("tipping_distance")) is None:
        pieces.append("no tipping point found")
    else:
        draws = words.of_draws(tipping, "tips_in", summary["seeds"])
        pieces.append(f"tipping distance{draws} {style.percent_interval(tipping['tipping_distance'])}")
    if style.parts(tipping.get("depth_halved_multiplies_drop")) is not None:
        pieces.append(
            f"half the depth: drop × {style.plain_interval(tipping['depth_halved_multiplies_drop'])}"
        )
    lines = flow([Piece(p) for p in pieces], width, " · ", indent=2)
    lines += flow([Piece(p) for p in _published(summary)], width, ", ", indent=2)
    ledger = summary["ledger"]
    closes = not ledger["residual"] and not ledger["open_interest_imbalance"]
    lines += fold(
        f"ledger: residual {style.number(ledger['residual'])}, open interest imbalance "
        f"{style.number(ledger['open_interest_imbalance'])} "
        f"after {style.number(ledger['checks'])} checks",
        width,
        "" if closes else "warning",
        indent=2,
    )
    return lines + (fold(f"→ {note}", width, indent=2) if note else [])


def _published(summary: dict[str, Any]) -> list[str]:
    verdicts = [row["verdict"] for row in summary.get("published") or []]
    if not verdicts:
        return ["published figures: none given"]
    counted = [(name, verdicts.count(name)) for name in ("inside", "outside")]
    said = [f"published figures: {counted[0][1]} inside", f"{counted[1][1]} outside"]
    if verdicts.count("different venue set"):
        said.append(f"{verdicts.count('different venue set')} of a different venue set")
    if verdicts.count("not simulated"):
        said.append(f"{verdicts.count('not simulated')} not simulated")
    return said


def _mean(values: pl.Series) -> float:
    found = values.mean()
    return float(found) if isinstance(found, (int, float)) and math.isfinite(found) else 0.0
