"""Which rows are the named accounts?"""

from __future__ import annotations

import numpy as np

from deleverage.engine.state import (
    ARBITRAGEUR,
    ARBITRAGEURS_MAX,
    DIP_BUYER,
    EXIT_LONG,
    EXIT_SHORT,
    FUND,
    FUNDS_MAX,
    MAKER,
    NEWCOMER,
    PARTIES_MAX,
    PROFIT_TAKER,
    Parties,
    new,
)
from deleverage.errors import InputError
from deleverage.units import Int64s


def find_parties(uid: Int64s, role: Int64s, weight_ppm: Int64s, venue: Int64s) -> Parties:
    """Rows of the named accounts by group, in order of uid, whatever the order of rows.

    Funds stand in the order of their names' numbers, venue by venue.

    Raises
    ------
    InputError
        more named accounts than a record holds.
    """
    by_uid = np.argsort(uid, kind="stable")

    def rows(*kinds: int) -> Int64s:
        found: Int64s = by_uid[np.isin(role[by_uid], kinds)].astype(np.int64)
        return found

    parties = new(Parties)
    named = rows(MAKER, ARBITRAGEUR, PROFIT_TAKER, DIP_BUYER, NEWCOMER)
    for what, found, most in (
        ("named accounts", named, PARTIES_MAX),
        ("arbitrageurs", rows(ARBITRAGEUR), ARBITRAGEURS_MAX),
        ("insurance funds", rows(FUND), FUNDS_MAX),
    ):
        if found.shape[0] > most:
            raise InputError(f"expected at most {most} {what}, found {found.shape[0]}")
    parties.named_count = named.shape[0]
    parties.named[: named.shape[0]] = named
    parties.named_weight_ppm[: named.shape[0]] = weight_ppm[named]
    parties.maker_count = rows(MAKER).shape[0]
    parties.makers[: parties.maker_count] = rows(MAKER)
    parties.arbitrageur_count = rows(ARBITRAGEUR).shape[0]
    parties.arbitrageurs[: parties.arbitrageur_count] = rows(ARBITRAGEUR)
    parties.dip_count = rows(DIP_BUYER).shape[0]
    parties.dip_buyers[: parties.dip_count] = rows(DIP_BUYER)
    parties.fund_count = rows(FUND).shape[0]
    parties.funds[: parties.fund_count] = rows(FUND)
    for row in rows(MAKER):
        parties.venue_makers[venue[row]] += 1
    for kind, field_name in ((NEWCOMER, "newcomer"), (EXIT_LONG, "exit_long"), (EXIT_SHORT, "exit_short")):
        for row in rows(kind):
            parties[field_name][venue[row]] = row
    return parties
