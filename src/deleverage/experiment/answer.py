"""What `run` answers with: one summary for programs, and the tables behind it.

`summary` is what ``--json`` prints. Its figures are plain numbers in USD, coins, seconds and shares;
an interval is ``{"p05": ..., "p50": ..., "p95": ...}`` over the seeds:

    scenario, title, seeds, seed, accounts, steps, markets, start, end, runs, wall_s
    traded.<market>.{venue, coin}                                                names
    price.<market>.{start, trough, end, drop, recovered_share, trough_after_s}   intervals
    counterfactual.<market>.drop                                                 interval, liquidations off
    news.<market>.drop                                                           interval, every mechanism off
    mechanical_share.<market>.{mean, se, prior_band [low, high], first_in, last_in, placebo,
                               news {mean, se}, never_closed {mean, se},
                               shapley.<mechanism>.{present, mean, se, first_in, last_in, prior_band}}
                                                    numbers; null where there is no drop to share
    liquidations.{total_usd, long_usd, short_usd, accounts, peak_minute_usd}     intervals
    filled_by.{book_usd, takeover_usd, adl_usd}                                  intervals
    insurance_fund.<fund>.{before_usd, after_usd, change_usd, markets}           number, intervals, names
    adl.{usd, first_after_s, runs_reached}          interval; that of the runs that reached it, or null; count
    venues.<venue>.liquidations.{total_usd, long_usd, short_usd}                 intervals
    venues.<venue>.adl.{usd, share_of_liquidations, first_after_s, runs_reached, share_by_market.<market>}
                                                    intervals, null where no run reached it; count
    venues.<venue>.markets                                                       names
    collateral.<asset>.{venue, lowest, lowest_usd, sold_coins, sold_usd, seized_coins}
                                      intervals; lowest is the lowest price that margin saw ÷ redemption value
    deficit_usd, socialised_usd, makers_liquidated                               intervals
    open_interest.<market>.{before_coins, after_coins}                           number, interval
    tipping.<market>.{n_start, crosses_one_at, tipping_distance, depth_halved_multiplies_drop}
                                                    intervals; null = none found
    tipping.<market>.{crosses_one_in, tips_in}                                   draws that have one
    ledger.{residual, open_interest_imbalance, checks}                           integers
    observed.<market>.{start, low, low_at, drop, inside, bar_s, source, closes_inside}
                                                    null without real candles
    published[].{id, text, by_whose_count, venue_set, published, unit, p05, p50, p95, verdict, used_to_fit,
                 source}
    provenance.{program, version, scenario_sha256, figures_sha256, seed, seeds, accounts, packages, data[],
                command}
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

MECHANISMS: tuple[str, ...] = (
    "liquidations", "adl", "news_withdrawal", "cascade_withdrawal", "stops", "collateral", "outage",
)  # fmt: skip
"""Players of the attribution, bit 0 first; those that a scenario does not have never matter in its runs."""

MECHANICAL: tuple[str, ...] = ("liquidations", "adl", "cascade_withdrawal", "collateral")
"""Those counted as mechanical; withdrawal by news, voluntary stops and outages are rows of their own."""


@dataclass(frozen=True)
class Answer:
    """The result of `run`: ``summary`` as documented above, ``tables`` as declared in `schema`."""

    summary: dict[str, Any]
    tables: dict[str, pl.DataFrame] = field(repr=False)
