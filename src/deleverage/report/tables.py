"""Which tables stand in the note? What its drawings show, as text that can be read and copied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from deleverage.experiment.answer import Answer
from deleverage.report import page, style, words
from deleverage.report.figures.published import COMPARED
from deleverage.report.figures.series import interval_of
from deleverage.report.page import Html
from deleverage.report.style import THIN


def markets(summary: dict[str, Any]) -> Html:
    """The answer by market: falls, the real one, time, recovery, mechanical share."""
    rows = []
    for market in summary["markets"]:
        price, share = summary["price"][market], summary["mechanical_share"][market]
        observed = (summary.get("observed") or {}).get(market)
        real = (
            _two_lines(
                style.fall_point(observed["drop"]),
                f"{style.clock(observed['low_at'])}, {'inside' if observed['inside'] else 'outside'}",
            )
            if observed
            else style.MISSING
        )
        rows.append(
            [
                market,
                style.fall(price["drop"]),
                style.fall(summary["counterfactual"][market]["drop"]),
                style.fall(summary["news"][market]["drop"]),
                real,
                style.duration_interval(price.get("trough_after_s")),
                style.percent_interval(price["recovered_share"]),
                words.share_text(share),
            ]
        )
    head = [
        "market",
        "fall",
        "without liquidations",
        "news alone",
        "real fall",
        "start to low",
        "recovered by the end",
        "mechanical share",
    ]
    return page.table(
        f"Median and 90{THIN}% of {summary['seeds']} seeds; mechanical share: mean and 90{THIN}% over "
        "the priors",
        head,
        rows,
    )


def forced(answer: Answer) -> Html:
    """What was closed by force, and open interest before and after."""
    draws = answer.tables["draws"]
    rows = []
    for market in answer.summary["markets"]:
        mine = draws.filter(pl.col("market") == market)
        long, short = mine["liquidated_long_usd"], mine["liquidated_short_usd"]
        interest = answer.summary["open_interest"][market]
        rows.append(
            [
                market,
                style.usd_interval(interval_of(long)),
                style.usd_interval(interval_of(short)),
                style.plain_interval(interval_of(mine["liquidated_accounts"])),
                style.coins(interest["before_coins"], market),
                style.plain_interval(interest["after_coins"], market),
            ]
        )
    liquidated = answer.summary["liquidations"]
    if len(rows) > 1:
        rows.append(
            [
                "all",
                style.usd_interval(liquidated["long_usd"]),
                style.usd_interval(liquidated["short_usd"]),
                style.plain_interval(liquidated["accounts"]),
                "",
                "",
            ]
        )
    caption = (
        f"Closed by force, and open interest in coins; median and 90{THIN}% of "
        f"{answer.summary['seeds']} seeds"
    )
    return page.table(
        caption, ["market", "longs", "shorts", "accounts", "open interest before", "after"], rows
    )


def absorbed(summary: dict[str, Any]) -> Html:
    """Where the forced contracts went, and what it cost the funds."""
    filled = summary.get("filled_by") or {}
    adl = summary.get("adl") or {}
    seeds = f"{adl.get('runs_reached') or 0} of {summary['seeds']} seeds"
    first = (
        f"; first after {style.duration_interval(adl['first_after_s'])}" if adl.get("first_after_s") else ""
    )
    rows = [
        ["into the order book", "", style.usd_interval(filled.get("book_usd"))],
        ["taken over by the insurance fund", "", style.usd_interval(filled.get("takeover_usd"))],
        [
            "closed against winners (ADL)",
            f"reached in {seeds}{first}",
            style.usd_interval(filled.get("adl_usd")),
        ],
        [
            "loss that nobody covered",
            "deficit beyond fund and ADL",
            style.usd_interval(summary.get("deficit_usd")),
        ],
    ]
    for name, fund in (summary.get("insurance_fund") or {}).items():
        rows.append(
            [
                f"insurance fund {name.replace('_', ' ').upper()}",
                f"at the end; {style.usd(fund['before_usd'])} before",
                style.usd_interval(fund["after_usd"]),
            ]
        )
    for name, asset in (summary.get("collateral") or {}).items():
        low, sold = words.collateral_text(asset)
        rows.append([f"collateral {name}", low, sold.split(" sold by ")[0]])
    return page.table(
        f"Where the forced contracts went; median and 90{THIN}% of {summary['seeds']} seeds",
        ["", "", "USD"],
        rows,
        words=2,
    )


def parties(answer: Answer) -> Html:
    """Net gain by party."""
    table = answer.tables["ledger_flow"]
    parties: dict[str, list[float]] = {}
    for row in table.iter_rows(named=True):
        parties.setdefault(row["payer"], [0.0, 0.0])[0] += row["usd"]
        parties.setdefault(row["receiver"], [0.0, 0.0])[1] += row["usd"]
    order = sorted(parties.items(), key=lambda item: item[1][1] - item[1][0])
    rows = [
        [name, style.usd(paid), style.usd(gained), style.usd(gained - paid)] for name, (paid, gained) in order
    ]
    return (
        page.table("Net by party, mean over seeds", ["party", "paid", "received", "net"], rows)
        if rows
        else Html("")
    )


def tipping(summary: dict[str, Any]) -> Html:
    """How close each market was to running away."""
    rows = []
    for market in summary["markets"]:
        tipping = (summary.get("tipping") or {}).get(market) or {}

        def found(key: str, text: Any, tipping: dict[str, Any] = tipping) -> str:
            return "none found" if style.parts(tipping.get(key)) is None else str(text(tipping[key]))

        rows.append(
            [
                market,
                found("n_start", style.plain_interval),
                found("crosses_one_at", style.fall)
                + words.of_draws(tipping, "crosses_one_in", summary["seeds"]),
                found("tipping_distance", style.percent_interval)
                + words.of_draws(tipping, "tips_in", summary["seeds"]),
                found("depth_halved_multiplies_drop", lambda v: style.plain_interval(v, "×")),
            ]
        )
    head = [
        "market",
        "n(x) near the start",
        "reaches 1 at",
        "tipping distance",
        "half the depth multiplies the fall by",
    ]
    return page.table(f"How close it was; median and 90{THIN}%", head, rows)


def shares(summary: dict[str, Any]) -> Html:
    """Rows of the attribution, a column a market."""
    markets = summary["markets"]
    parts = {market: words.parts_of(summary, market) for market in markets}
    names = list(dict.fromkeys(part.name for market in markets for part in parts[market]))
    rows = []
    for name in names:
        row = [name]
        for market in markets:
            part = next((p for p in parts[market] if p.name == name), None)
            row.append(style.MISSING if part is None else _share_cell(part))
        rows.append(row)
    caption = f"Share of the mean fall, ± half the 90{THIN}% Monte Carlo interval; first in to last in below"
    return page.table(caption, ["", *markets], rows) if rows else Html("")


def _share_cell(part: words.Part) -> Html:
    reach = part.se * words.Z90 * 100
    text = style.percent(part.mean, 0 if abs(part.mean) >= 0.1 or part.mean == 0 else 1)
    text += f" ± {style.number(reach, 0 if reach >= 1 else 1)}" if part.se else ""
    if part.first_in is None or part.last_in is None:
        return page.safe(text)
    return _two_lines(text, f"{style.number(part.first_in * 100)} to {style.number(part.last_in * 100)}")


def published(answer: Answer) -> Iterator[Html]:
    """Compared and apart; a source is a number here and stands in full in the list below."""
    table = answer.tables["published"]
    codes = {
        source: k for k, source in enumerate(table["source"].unique(maintain_order=True).to_list(), start=1)
    }

    def named(row: dict[str, Any]) -> Html:
        code = codes[row["source"]]
        link = page.element("a", f"[{code}]", href=f"#source-{code}", of="mark")
        return Html(f"{page.safe(row['text'])} {link}")

    compared = table.filter(pl.col("verdict").is_in(COMPARED))
    if compared.height:
        yield page.table(
            "Same venues: compared",
            ["figure", "by whose count", "published", "simulated", "verdict", "used to fit"],
            [
                [
                    named(r),
                    r["by_whose_count"],
                    style.quantity(r["published"], r["unit"]),
                    _simulated(r),
                    r["verdict"],
                    "yes" if r["used_to_fit"] else "no",
                ]
                for r in compared.iter_rows(named=True)
            ],
            words=2,
        )
    apart = table.filter(~pl.col("verdict").is_in(COMPARED)).sort("verdict", maintain_order=True)
    if apart.height:
        yield page.table(
            "Listed apart: a different venue set, or not simulated",
            ["figure", "by whose count", "venues", "published", "why apart"],
            [
                [
                    named(r),
                    r["by_whose_count"],
                    r["venue_set"],
                    style.quantity(r["published"], r["unit"]),
                    r["verdict"],
                ]
                for r in apart.iter_rows(named=True)
            ],
            words=3,
        )
    if codes:
        yield page.element("h3", "Sources of published figures")
        yield page.element(
            "ol",
            page.join(page.element("li", source, id=f"source-{k}") for source, k in codes.items()),
            of="sources",
        )


def _simulated(row: dict[str, Any]) -> str:
    return style.quantity_interval({q: row[q] for q in ("p05", "p50", "p95")}, row["unit"])


def figures_lead(answer: Answer) -> Html:
    """How many figures are observed, assumed and fitted."""
    counts = dict(answer.tables["figures"].group_by("mark").len().iter_rows())
    total = sum(counts.values())
    named = ", ".join(
        f"{counts[mark]} {mark}"
        for mark in ("observed", "assumed", "fitted", "set by user")
        if counts.get(mark)
    )
    return page.paragraph(
        f"Of {total} figures that the scenario needs, {named}. An assumed figure is a prior: it is "
        "drawn anew for each group of seeds.",
        of="lead",
    )


def figures(answer: Answer) -> Iterator[Html]:
    """The figures of the scenario, a table for each mark."""
    table = answer.tables["figures"]
    for mark in ("observed", "assumed", "fitted", "set by user"):
        rows = table.filter(pl.col("mark") == mark)
        if rows.height:
            yield page.table(
                f"{mark.capitalize()}: {rows.height}",
                ["figure", "value", "unit", "source"],
                [
                    [page.element("code", r["key"]), r["value"], r["unit"], r["source"]]
                    for r in rows.iter_rows(named=True)
                ],
                words=4,
            )


def _two_lines(first: str, second: str) -> Html:
    return page.join([page.safe(first), page.element("span", second, of="iv")])
