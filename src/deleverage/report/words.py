"""What does the answer say in plain words? Sentences from the figures, for note, figures and terminal.

Nothing here presumes a result: when an interval includes zero, when nothing was liquidated or when the
placebo is not zero, the words say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from deleverage.experiment.answer import MECHANICAL
from deleverage.report import style
from deleverage.report.style import THIN

Z90 = 1.645
"""Standard errors on each side of a 90 % interval."""
PLACEBO_TOLERANCE = 0.02
"""A placebo beyond this share is worth a warning."""

Verdict = Literal["not observed", "none", "part", "most", "open"]

NAMES = {
    "liquidations": "liquidations",
    "adl": "auto-deleveraging",
    "cascade_withdrawal": "withdrawal caused by the cascade",
    "news_withdrawal": "withdrawal caused by the news",
    "stops": "voluntary stops",
    "collateral": "collateral repricing",
    "outage": "venue outage",
}


@dataclass(frozen=True)
class Part:
    """One row of the attribution. Shares of the mean fall."""

    name: str
    mean: float
    se: float
    first_in: float | None = None
    last_in: float | None = None
    prior: tuple[float, float] | None = None
    mechanical: bool = False
    strong: bool = False
    indent: bool = False
    rule: bool = False
    """True where a new group begins."""


def parts_of(summary: dict[str, Any], market: str) -> list[Part]:
    """Rows of one market: news, the mechanical total and its parts, the rest, then the checks."""
    share = summary["mechanical_share"][market]
    rows = []
    if observed_mean(share.get("news")) is not None:
        rows.append(Part("news and ordinary noise", share["news"]["mean"], share["news"].get("se") or 0.0))
    if observed_mean(share) is not None:
        rows.append(
            Part(
                "mechanical, total",
                share["mean"],
                share.get("se") or 0.0,
                share.get("first_in"),
                share.get("last_in"),
                prior=_pair(share.get("prior_band")),
                mechanical=True,
                strong=True,
                rule=True,
            )
        )
    shapley = share.get("shapley") or {}
    order = [name for name in shapley if name in MECHANICAL] + [
        name for name in shapley if name not in MECHANICAL
    ]
    first_other = True
    for name in order:
        row = shapley[name]
        if observed_mean(row) is None or not row.get("present", True):
            continue
        inside = name in MECHANICAL
        rows.append(
            Part(
                NAMES.get(name, name.replace("_", " ")),
                row["mean"],
                row.get("se") or 0.0,
                row.get("first_in"),
                row.get("last_in"),
                mechanical=inside,
                indent=inside,
                rule=not inside and first_other,
            )
        )
        first_other = first_other and inside
    checks = []
    if observed_mean(share.get("never_closed")) is not None:
        row = share["never_closed"]
        checks.append(("mechanical, if never closed", row["mean"], row.get("se") or 0.0, True))
    placebo = placebo_of(share)
    if placebo is not None:
        checks.append(("placebo: no leverage", placebo, 0.0, False))
    for k, (name, mean, se, mechanical) in enumerate(checks):
        rows.append(Part(name, mean, se, mechanical=mechanical, rule=k == 0))
    return rows


def collateral_text(asset: dict[str, Any]) -> list[str]:
    """What became of an asset that accounts pledge: how low margin saw it, and what venues sold of it."""
    return [
        f"lowest {style.plain_interval(asset['lowest'])} of its redemption value",
        f"{style.usd_interval(asset['sold_usd'])} sold by {str(asset['venue']).capitalize()}",
    ]


def placebo_of(share: dict[str, Any]) -> float | None:
    """The placebo's share, whether it is stored as a number or as a mean."""
    value = share.get("placebo")
    return observed_mean(value) if isinstance(value, dict) else observed_mean({"mean": value})


def whole_interval(share: dict[str, Any]) -> tuple[float, float] | None:
    """The interval to judge by: the band over priors, widened to hold the Monte Carlo interval."""
    mean = observed_mean(share)
    if mean is None:
        return None
    reach = Z90 * (share.get("se") or 0.0)
    prior = _pair(share.get("prior_band")) or (mean, mean)
    return min(prior[0], mean - reach), max(prior[1], mean + reach)


def verdict(share: dict[str, Any]) -> Verdict:
    """What the interval supports: none shown, part, most, or open (it reaches across one half)."""
    interval = whole_interval(share)
    if interval is None:
        return "not observed"
    low, high = interval
    if low <= 0:
        return "none"
    if low >= 0.5:
        return "most"
    return "part" if high < 0.5 else "open"


def share_text(share: dict[str, Any]) -> str:
    """`54 % [38, 70]`: mean and the band over priors."""
    mean, prior = observed_mean(share), _pair(share.get("prior_band"))
    if mean is None:
        return style.MISSING
    places = 0 if prior is None or (prior[1] - prior[0]) >= 0.02 else 1
    text = style.percent(mean, places)
    if prior is not None:
        text += f" [{style.number(prior[0] * 100, places)}, {style.number(prior[1] * 100, places)}]"
    return text


def error_text(share: dict[str, Any]) -> str:
    """`±2`: half the 90 % Monte Carlo interval, in points."""
    reach = Z90 * (share.get("se") or 0.0) * 100
    return f"±{style.number(reach, 0 if reach >= 1 else 1)}"


def mechanical_sentence(summary: dict[str, Any], market: str) -> str:
    """The headline about one market."""
    share = summary["mechanical_share"][market]
    text = share_text(share)
    match verdict(share):
        case "not observed":
            return f"How much of {market}'s fall was mechanical was not computed"
        case "none":
            return f"No mechanical share of {market}'s fall can be shown: {text}, and the interval includes 0"
        case "most":
            return f"Most of {market}'s fall was mechanical: {text}"
        case "part":
            return f"Less than half of {market}'s fall was mechanical: {text}"
        case _:
            return f"Part of {market}'s fall was mechanical, and whether more than half is open: {text}"


def three_sentences(summary: dict[str, Any]) -> list[str]:
    """The answer: the fall with and without, the mechanical share, what was forced and how close it was."""
    market = summary["markets"][0]
    return [
        _fall_sentence(summary, market),
        _share_sentence(summary, market),
        _forced_sentence(summary, market),
    ]


def _fall_sentence(summary: dict[str, Any], market: str) -> str:
    drop, without = summary["price"][market]["drop"], summary["counterfactual"][market]["drop"]
    text = (
        f"{style.fall(drop)} is {market}'s simulated move to its low with liquidations, and "
        f"{style.fall(without)} "
        f"when whoever fails sells evenly over six hours instead"
    )
    observed = (summary.get("observed") or {}).get(market)
    if not observed:
        return f"{text}; no real candles were given to compare it with."
    place = (
        "inside the band" if observed["inside"] else "outside the band, which is a finding against the model"
    )
    return (
        f"{text}; the real move was {style.fall_point(observed['drop'])} at "
        f"{style.clock(observed['low_at'])} UTC, {place}."
    )


def _share_sentence(summary: dict[str, Any], market: str) -> str:
    share = summary["mechanical_share"][market]
    text = (
        f"{share_text(share)} of that fall is mechanical (band over the priors; Monte Carlo "
        f"{error_text(share)} points)"
    )
    match verdict(share):
        case "not observed":
            return f"The mechanical share of {market}'s fall was not computed."
        case "none":
            return f"{text}: the interval includes 0, so this run does not show that any of it was."
        case "most":
            return (
                f"{text}: more than half over all the priors, by liquidations, auto-deleveraging and "
                "the quotes that left because of them."
            )
        case "part":
            return (
                f"{text}: a part, but less than half over all the priors; the rest is news, the "
                "reaction to it and voluntary stops."
            )
        case _:
            return (
                f"{text}: a part is shown, and whether it is more than half depends on what is "
                "assumed about the shock, the positions and the book."
            )


def _forced_sentence(summary: dict[str, Any], market: str) -> str:
    tipping = (summary.get("tipping") or {}).get(market) or {}
    near = _tipping_words(tipping, market)
    if not anything_liquidated(summary):
        return (
            f"$0 was closed by force in any of {summary['seeds']} seeds, so no loop of liquidations "
            f"ran; {near}."
        )
    liquidated = summary["liquidations"]
    return (
        f"{style.usd_interval(liquidated['total_usd'])} was closed by force, {long_share(summary)} of "
        "it long; "
        f"{_adl_words(summary)}; {near}."
    )


def _adl_words(summary: dict[str, Any]) -> str:
    adl = summary.get("adl") or {}
    reached = adl.get("runs_reached") or 0
    if not reached:
        return "auto-deleveraging was reached in no seed"
    return (
        f"auto-deleveraging was reached in {reached} of {summary['seeds']} seeds "
        f"({style.usd_interval(adl.get('usd'))})"
    )


def of_draws(tipping: dict[str, Any], key: str, seeds: int) -> str:
    """In how many draws a figure of the map was found, " in 12 of 32 draws"; empty where all have it."""
    count = tipping.get(key)
    return "" if count is None or count == seeds else f" in {count} of {seeds} draws"


def _tipping_words(tipping: dict[str, Any], market: str) -> str:
    n = style.plain_interval(tipping.get("n_start"))
    if style.parts(tipping.get("tipping_distance")) is None:
        return f"near the start {market} has n(x) = {n}, and no tipping point was found"
    return (
        f"near the start {market} has n(x) = {n}, and a shock of "
        f"{style.percent_interval(tipping['tipping_distance'])} "
        "would have run away"
    )


def anything_liquidated(summary: dict[str, Any]) -> bool:
    """False when the 95 % point of what was closed by force is zero."""
    found = style.parts(summary["liquidations"]["total_usd"])
    return found is not None and found[2] > 0


def long_share(summary: dict[str, Any]) -> str:
    """Share of longs in what was liquidated: ratio of medians, as whole percent."""
    total, long = (
        style.parts(summary["liquidations"]["total_usd"]),
        style.parts(summary["liquidations"]["long_usd"]),
    )
    if total is None or long is None or total[1] == 0:
        return style.MISSING
    return style.percent(long[1] / total[1], 0)


def ledger_sentence(summary: dict[str, Any]) -> str:
    """Whether the books close."""
    ledger = summary["ledger"]
    return (
        f"The ledger's residual is {style.number(ledger['residual'])} and the imbalance of open interest is "
        f"{style.number(ledger['open_interest_imbalance'])}, in integers, after "
        f"{style.number(ledger['checks'])} checks."
    )


def warnings(summary: dict[str, Any]) -> list[str]:
    """What a reader must know before believing the rest; empty when all is well."""
    found = []
    ledger = summary.get("ledger") or {}
    if ledger.get("residual") or ledger.get("open_interest_imbalance"):
        found.append(
            f"The ledger does not close: residual {ledger.get('residual')}, open interest imbalance "
            f"{ledger.get('open_interest_imbalance')}. This run must not be used."
        )
    for market in summary["markets"]:
        placebo = placebo_of(summary["mechanical_share"][market])
        if placebo is not None and abs(placebo) > PLACEBO_TOLERANCE:
            found.append(
                f"The placebo of {market} is {style.percent(placebo, 1)}, not 0: the same market "
                "without leverage shows that share. "
                "Shares no larger than this are not distinguishable from none."
            )
    for market, observed in (summary.get("observed") or {}).items():
        if observed and not observed["inside"]:
            found.append(
                f"The real fall of {market}, {style.fall_point(observed['drop'])}, lies outside the "
                f"simulated 90{THIN}% band "
                f"{style.fall(summary['price'][market]['drop'])}."
            )
    return found


def observed_mean(value: Any) -> float | None:
    """The mean of a row, or None where it is absent or was not observed (a share of a fall of zero)."""
    mean = None if value is None else value.get("mean")
    return float(mean) if mean is not None and style.observed(mean) else None


def _pair(value: Any) -> tuple[float, float] | None:
    if value is None or value[0] is None or value[1] is None:
        return None
    return float(value[0]), float(value[1])
