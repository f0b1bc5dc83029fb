"""How much of a night's fall was mechanical, by the engine? Read from a stored run, or from a run of its own.

The figures are those of `run`: exact Shapley values over mechanisms as shares of the fall, with the band that
the priors leave and, apart from it, the error of the draws. `answer` says what is counted as mechanical.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from deleverage.data.lake.times import iso
from deleverage.errors import InputError, MissingDataError
from deleverage.experiment.answer import MECHANISMS
from deleverage.measure.asof import AsOf
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose, time_ns

Progress = Callable[[int, int, str], None]

NORMAL_90 = 1.6448536269514722
"""Half width of a 90 % interval in standard errors, draws being many and independent."""
FEWEST_SEEDS = 8
"""From how many draws on they say how far the priors leave the share open; two draws lie close by chance."""
_STORED = "--run"
_BOTH = "5 % to 95 % over the priors, and 90 % Monte Carlo where wider"


def compute(asof: AsOf, parameters: Mapping[str, Any], progress: Progress | None = None) -> Measured:
    """Readings of one market of a run; shares of the fall, null where it hardly fell.

    progress : called with (draws done, draws, what) of a run of its own, which takes minutes.

    Raises
    ------
    MissingDataError
        the night was not over at the moment that is asked for.
    InputError
        the stored run is of another night, or has no such market.
    """
    _check_over(asof, parameters)
    summary, where = _summary(parameters, progress)
    start_ns, end_ns = time_ns(summary["start"]), time_ns(summary["end"])
    if asof.at_ns < end_ns:
        raise _not_over(str(summary["scenario"]), asof.at_ns, end_ns)
    market = parameters["market"]
    if market not in summary["mechanical_share"]:
        raise InputError(
            "measure attribution, parameter market: expected one of "
            f"{', '.join(summary['mechanical_share'])}, found '{market}'",
            hint="a market is named as in the answer of the run",
            parameter="market",
        )
    found = Found("attribution", asof, parameters)
    by = f"engine of deleverage, {summary['scenario']}, {summary['seeds']} seeds"
    whose = Whose(by, where, start_ns, end_ns)
    _shares(found, market, summary["mechanical_share"][market], whose, int(summary["seeds"]))
    drop = summary["price"][market]["drop"]
    found.reading("drop", market, _point(drop, "p50"), "share", whose, low=_point(drop, "p05"),
                  high=_point(drop, "p95"), interval="5 % to 95 % over the draws")  # fmt: skip
    found.reading("seeds", market, float(summary["seeds"]), "count", whose)
    return found.measured()


def _shares(found: Found, market: str, share: Mapping[str, Any], whose: Whose, seeds: int) -> None:
    none = "" if share["mean"] is not None else "the market hardly fell: there is no fall to share"
    rows = [("mechanical_share_priors", share)]
    absent = {"mean": None, "present": False}  # a run stored before the program knew the mechanism
    rows += [(f"{name}_share", share["shapley"].get(name, absent)) for name in MECHANISMS]
    for name, row in rows:
        low, high = row.get("prior_band") or (None, None)
        said = none or ("" if row.get("present", True) else "not a mechanism of this scenario")
        found.reading(name, market, row["mean"], "share", whose, low=low, high=high, note=said,
                      interval="" if low is None else "5 % to 95 % over the priors")  # fmt: skip
    mechanical = share["mean"], share["se"]
    low, high = _outer(share)
    if seeds < FEWEST_SEEDS and not none:
        found.reading("mechanical_share", market, None, "share", whose,
                      note=f"a run of {seeds} seeds does not say how far the priors leave it open: expected "
                           f"at least {FEWEST_SEEDS}, as from `deleverage run {whose.by.split(', ')[1]} "
                           f"--seeds {FEWEST_SEEDS} --out DIR`; its mean is {share['mean']:.2f}")  # fmt: skip
    else:
        found.reading("mechanical_share", market, share["mean"], "share", whose, low=low, high=high,
                      note=none, interval="" if low is None else _BOTH)  # fmt: skip
    for name, (mean, error) in (
        ("mechanical_share_draws", mechanical),
        ("news_share", (share["news"]["mean"], share["news"]["se"])),
        ("mechanical_share_never_closed", (share["never_closed"]["mean"], share["never_closed"]["se"])),
    ):
        known = mean is not None and error is not None
        found.reading(
            name, market, mean, "share", whose,
            low=mean - NORMAL_90 * error if known else None, high=mean + NORMAL_90 * error if known else None,
            interval="90 % Monte Carlo" if known else "", note=none,
        )  # fmt: skip
    for name in ("first_in", "last_in", "placebo"):
        found.reading(name, market, share[name], "share", whose, note=none)


def _outer(share: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The band of the priors, and the error of the draws where that is wider: few draws show neither well."""
    if share["mean"] is None:
        return None, None
    half = NORMAL_90 * (share["se"] or 0.0)
    ends = [share["mean"] - half, share["mean"] + half, *(share.get("prior_band") or ())]
    return min(ends), max(ends)


def _summary(parameters: Mapping[str, Any], progress: Progress | None) -> tuple[dict[str, Any], str]:
    """The summary of the run, and what it is from."""
    if parameters["run"] is not None:
        from deleverage.experiment.output import read_replay

        folder = parameters["run"]
        try:
            summary = read_replay(folder).summary
        except InputError as error:
            context = {**error.context, "parameter": "run"}
            message = error.message.replace("--replay", _STORED)
            raise InputError(message, hint=error.hint, **context) from None
        wanted = _name(parameters["scenario"])
        found = str(summary["scenario"])
        if wanted is not None and not (found == wanted or found.startswith(str(parameters["scenario"]))):
            raise InputError(
                f"{_STORED} {folder}: expected a run of {parameters['scenario']}, found one of {found}",
                hint=f"`deleverage run {parameters['scenario']} --out DIR` makes one",
                parameter="run",
            )
        return summary, f"run of {found}, stored"
    from deleverage.experiment.run import run

    name = parameters["scenario"]
    accounts = parameters["accounts"]
    answer = run(
        name,
        seeds=int(parameters["seeds"]),
        accounts=None if accounts is None else int(accounts),
        progress=progress,
    )
    return answer.summary, f"run of {answer.summary['scenario']}, made for this"


def _check_over(asof: AsOf, parameters: Mapping[str, Any]) -> None:
    """Before a run of minutes: is the night that it is of in the past?"""
    if parameters["run"] is not None:
        return
    from deleverage.experiment.scenario import Scenario

    scenario = Scenario.load(parameters["scenario"])
    end: datetime = scenario.end
    if asof.at_ns < time_ns(end):
        raise _not_over(scenario.name, asof.at_ns, time_ns(end))


def _not_over(name: str, at_ns: int, end_ns: int) -> MissingDataError:
    return MissingDataError(
        f"the night of scenario {name} ends at {iso(end_ns)}: nothing is known of it at {iso(at_ns)}",
        hint="ask for a later moment",
        start_ns=at_ns,
        end_ns=end_ns,
    )


def _name(scenario: str | None) -> str | None:
    from deleverage.experiment.scenario.files import ALIASES

    return None if scenario is None else ALIASES.get(scenario, scenario)


def _point(interval: Mapping[str, float | None] | None, name: str) -> float | None:
    return None if interval is None else interval[name]


MEASURE = Measure(
    name="attribution",
    question="How much of a night's fall was mechanical, and how much news?",
    parameters=(
        Parameter("scenario", "text", "oct-10", "embedded scenario, or a TOML file"),
        Parameter("market", "text", "BTC", "market of the scenario"),
        Parameter("run", "text", None, "folder of a stored run; without it the scenario is run"),
        Parameter("seeds", "number", 8.0, "draws of a run of its own", "count"),
        Parameter(
            "accounts", "number", None, "accounts of a run of its own; the scenario's by default", "count"
        ),
    ),
    compute=compute,
    readings={
        "mechanical_share": "liquidations, ADL, withdrawal that the cascade caused, collateral ÷ the fall",
        "mechanical_share_priors": "the same with the band of the priors alone",
        "mechanical_share_draws": "the same with the error of the draws alone",
        "mechanical_share_never_closed": "the same against positions that are never closed",
        **{f"{name}_share": f"Shapley share of {name.replace('_', ' ')}" for name in MECHANISMS},
        "news_share": "the fall with every mechanism off ÷ the fall",
        "first_in": "share of liquidations and what follows, added first",
        "last_in": "the same, added last",
        "placebo": "mechanical share in the same market without leverage",
        "drop": "fall from the start to the trough",
        "seeds": "draws of the run",
    },
)


def telling(progress: Progress) -> Measure:
    """The measure, which tells how far a run of its own is: called with (draws done, draws, what)."""
    return replace(MEASURE, compute=lambda asof, parameters: compute(asof, parameters, progress))
