"""Which readings and series does the measure give, of the published indices and of the own composite?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from deleverage.data.lake.times import iso
from deleverage.errors import InputError
from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose
from deleverage.measure.prices import no_bars
from deleverage.measure.sentiment.agreement import agreement
from deleverage.measure.sentiment.components import COIN
from deleverage.measure.sentiment.composite import (
    LEAST_COVERAGE,
    SHOWN_DAYS,
    VERSION,
    Composite,
    composite,
    weights_in_words,
)
from deleverage.measure.sentiment.percentile import DAYS, LEAST
from deleverage.measure.sentiment.published import published

OWN = "deleverage"
_BY = f"own composite, version {VERSION}"


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """Readings of the published indices and of the composite; series of both over two years."""
    level = parameters["level"]
    if level is not None and not 0 <= level <= 100:
        raise InputError(
            f"measure sentiment, parameter level: expected a value from 0 to 100, found {level:g}",
            hint="an index of fear and greed has no others",
            parameter="level",
        )
    found = Found("sentiment", asof, parameters)
    index = published(found, asof, parameters["publisher"], level)
    own = composite(asof)
    if index.is_empty() and not np.isfinite(own.scored).any():
        raise asof.missing("sentiment", f"Fear & Greed of {parameters['publisher']}").error()
    _composite(found, asof, own)
    _together(found, own, index, parameters["publisher"])
    return found.measured()


def _composite(found: Found, asof: AsOf, own: Composite) -> None:
    """The composite's last value, its parts and its series."""
    last = int(own.midnights[-1])
    whose = Whose(
        _BY, "; ".join(dict.fromkeys(one.data for one in own.components)), last - DAYS * DAY_NS, last
    )
    coverage = float(own.coverage[-1])
    value = float(own.value[-1])
    note = f"version {VERSION}; weights {weights_in_words()}; of what was known at {iso(last)}"
    if not math.isfinite(value):
        note = f"{coverage:.0%} of the weight is there, wants {LEAST_COVERAGE:.0%}; {note}"
    found.reading(
        "composite",
        OWN,
        value,
        "points",
        whose,
        low=float(own.low[-1]) if math.isfinite(value) else None,
        high=float(own.high[-1]) if math.isfinite(value) else None,
        interval="least and most with one component left out" if math.isfinite(value) else "",
        note=note,
    )
    absent = [
        one.name for one, score in zip(own.components, own.scored[:, -1], strict=True) if math.isnan(score)
    ]
    said = f"missing: {', '.join(absent)}; their weight goes to the others" if absent else ""
    found.reading("coverage", OWN, coverage, "share", whose, note=said)
    for k, one in enumerate(own.components):
        raw, score = float(own.raw[k, -1]), float(own.scored[k, -1])
        that = Whose(_BY, one.data, last - DAYS * DAY_NS, last)
        if math.isfinite(score):
            turned = "" if one.greed > 0 else "; more of it is fear"
            said = f"{one.meaning}: {raw:.3g} {one.unit}; weight {one.weight:.0%}{turned}"
        elif math.isfinite(raw):
            said = f"fewer than {LEAST} of {DAYS} days to rank among; {one.meaning}: {raw:.3g} {one.unit}"
        else:
            said = f"not in the lake at that time: {one.data}"
        found.reading(f"component_{one.name}", OWN, score, "points", that, note=said)
        if np.isfinite(own.scored[k]).any():
            found.series(f"component_{one.name}", OWN, "points", _frame(own, own.scored[k]))
    if "volatility" in absent:
        found.lacks(no_bars(asof, COIN, start_ns=last - DAYS * DAY_NS))
    if "funding" in absent:
        found.lacks(
            asof.missing("funding", f"funding of {COIN}USDT", start_ns=last - DAYS * DAY_NS, coin=COIN)
        )
    if "flows" in absent:
        found.lacks(asof.missing("flows", "flows by farside", start_ns=last - DAYS * DAY_NS, coin=COIN))
    if np.isfinite(own.value).any():
        band = {"low": own.low, "high": own.high}
        found.series("composite", OWN, "points", _frame(own, own.value, band))
        found.series("coverage", OWN, "share", _frame(own, own.coverage))


def _together(found: Found, own: Composite, index: pl.DataFrame, publisher: str) -> None:
    """How composite and published index go together; both stand at a midnight and look back from it."""
    subject = f"{OWN} and {publisher}"
    first, last = int(own.midnights[0]), int(own.midnights[-1])
    whose = Whose(f"{_BY}; {publisher}", "as above, sentiment", first, last)
    both = _frame(own, own.value).join(
        index.select("time_ns", index="value"), on="time_ns", how="inner", maintain_order="left"
    )
    both = both.filter(pl.col("value").is_finite())
    if both.height:
        row = both.row(-1, named=True)
        gap, said = row["value"] - row["index"], f"both of {iso(row['time_ns'])[:10]}, 00:00 UTC"
    else:
        gap, said = None, "no day has both"
    found.reading("composite_minus_published", subject, gap, "points", whose, note=said)
    x, y = both["value"].to_numpy(), both["index"].cast(pl.Float64).to_numpy()
    overlap = (
        "they share inputs (price, volatility), so they must go together; neither is a truth for the other"
    )
    for name, a, b, what in (
        ("correlation", x, y, "of levels"),
        ("correlation_changes", np.diff(x), np.diff(y), "of daily changes"),
    ):
        fitted = agreement(a, b)
        if fitted is None:
            nothing = f"{both.height} days have both, or one does not move"
            found.reading(name, subject, None, "correlation", whose, note=nothing)
            continue
        found.reading(
            name,
            subject,
            fitted.r,
            "correlation",
            whose,
            low=fitted.low,
            high=fitted.high,
            interval="90 % Fisher, n corrected for autocorrelation" if fitted.low is not None else "",
            note=f"{what}, {fitted.n} days, {fitted.independent:.0f} count as independent; {overlap}",
        )


def _frame(
    own: Composite, values: np.ndarray[Any, Any], more: Mapping[str, Any] | None = None
) -> pl.DataFrame:
    return pl.DataFrame({"time_ns": own.midnights, "value": values, **(more or {})})


MEASURE = Measure(
    name="sentiment",
    question="How fearful is the market, by published indices and by an own composite?",
    parameters=(
        Parameter("publisher", "text", "alternative.me", "which published index is looked at closely"),
        Parameter("level", "number", None, "a value of it to look for; its last one where none is given"),
    ),
    compute=compute,
    headline=("published", "composite"),
    readings={
        "published": "last value of each publisher that the lake has",
        "difference": "the publisher's value less another's, on the last day that both have",
        "difference_mean": "mean size of that difference over their days in common, a year back",
        "days_at_or_below": "days of the last 365 at or below the level",
        "last_equal_day": "last day at exactly the level, before the present run at or below it",
        "last_lower_day": "last earlier day below the level",
        "lowest": "lowest value that the lake has of the publisher",
        "lowest_day": "the first day of it",
        "lowest_year": "lowest value of the last 365 days",
        "composite": f"own composite, 0 (fear) to 100 (greed); of {SHOWN_DAYS} midnights in the series",
        "coverage": "share of its weight that was there",
        "component_*": "a component's causal percentile, 0 (fear) to 100 (greed)",
        "composite_minus_published": "composite less the publisher's value, same midnight",
        "correlation": "of composite and published, two years",
        "correlation_changes": "of their daily changes",
    },
)
