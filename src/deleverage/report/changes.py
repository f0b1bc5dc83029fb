"""What would change the answer? Each assumption with the size of its effect, taken from the run itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

from deleverage.experiment.answer import Answer
from deleverage.report import page, style, words
from deleverage.report.page import Html
from deleverage.report.style import THIN


def _whole_percent(value: float) -> str:
    return style.percent(value, 0)


def _tenth_percent(value: float) -> str:
    return style.percent(value, 1)


def _multiple(value: float) -> str:
    return f"{style.significant(value, 2)}×"


_PRIORS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("shock", "news shock", _tenth_percent),
    ("fuel", f"share of long positions that a fall of 13{THIN}% closes", _whole_percent),
    ("hidden_depth", "book per displayed coin (hidden and refilled)", _multiple),
)
_FEWEST = 6
"""Draws below which thirds say nothing."""


def changes(answer: Answer) -> Iterator[Html]:
    """The priors as a table, then the other choices as sentences."""
    yield _priors_table(answer)
    yield page.listing(_sentences(answer.summary))


def _priors_table(answer: Answer) -> Html:
    market = answer.summary["markets"][0]
    draws = answer.tables["draws"].filter(pl.col("market") == market)
    rows: list[tuple[float, list[str]]] = []
    for column, name, text in _PRIORS:
        if draws.height < _FEWEST or draws[column].n_unique() < 3:
            continue
        third = draws.height // 3
        low, high = draws.sort(column).head(third), draws.sort(column).tail(third)
        falls = _median(low, "drop"), _median(high, "drop")
        rows.append(
            (
                abs(falls[1] - falls[0]),
                [
                    name,
                    text(_median(low, column)),
                    style.fall_point(falls[0]),
                    text(_median(high, column)),
                    style.fall_point(falls[1]),
                    f"{style.number((falls[0] - falls[1]) * 100, 1)}{THIN}points",
                ],
            )
        )
    if not rows:
        return page.paragraph(
            "The priors did not vary over these draws, or there are too few draws to say what each does."
        )
    head = ["prior", "lowest third", f"fall of {market}", "highest third", f"fall of {market}", "difference"]
    return page.table(
        f"Each prior alone: medians of the third of {draws.height} seeds where it is lowest and highest",
        head,
        [row for _, row in sorted(rows, key=lambda item: -item[0])],
    )


def _median(rows: pl.DataFrame, column: str) -> float:
    value = rows[column].median()
    assert isinstance(value, (int, float))
    return float(value)


def _sentences(summary: dict[str, Any]) -> Iterator[str]:
    market = summary["markets"][0]
    share = summary["mechanical_share"][market]
    never = share.get("never_closed")
    if never and words.observed_mean(never) is not None and words.observed_mean(share) is not None:
        yield (
            f"What “off” means: {style.percent(share['mean'], 0)} when whoever fails sells evenly over six "
            "hours instead, "
            f"{style.percent(never['mean'], 0)} when those positions are never closed."
        )
    if share.get("first_in") is not None and share.get("last_in") is not None:
        yield (
            f"The order in which causes are counted: {style.percent(share['first_in'], 0)} if the "
            "mechanical part is switched on first, "
            f"{style.percent(share['last_in'], 0)} if last. The Shapley share stands between by "
            "construction; no datum decides the order."
        )
    halved = ((summary.get("tipping") or {}).get(market) or {}).get("depth_halved_multiplies_drop")
    if style.parts(halved) is not None:
        yield (
            f"The depth of the book: half of it multiplies the median fall by {style.plain_interval(halved)}."
        )
    yield (
        "A price path alone cannot tell a large shock with little amplification from a small shock with "
        "much. Evidence on the shock "
        "itself, or on positions (who held what, at which leverage), narrows the band; more price data "
        "does not."
    )
    if words.observed_mean(share) is not None:
        yield (
            f"More seeds narrow only the Monte Carlo error, now {words.error_text(share)} points; they do "
            "not narrow the band over the priors."
        )
