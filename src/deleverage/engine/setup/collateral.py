"""Which assets may be pledged besides the settlement asset, and who pledges them at the start?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from deleverage.engine.setup.scales import below, per_step
from deleverage.engine.setup.specs import (
    AssetSpec,
    MarketSpec,
)
from deleverage.engine.state import (
    ASSETS_MAX,
    HOLDER,
    Assets,
    new,
)
from deleverage.errors import InputError
from deleverage.positions.population import CROSS
from deleverage.units import PPM, Int64s, to_int, uusd


def build_assets(specs: list[AssetSpec], markets: list[MarketSpec], venues: list[str]) -> Assets:
    """Kernel parameters of the collateral, in the order of ``specs``.

    Raises
    ------
    InputError
        more assets than a record holds, a venue or market that is not there, or a figure out of bounds.
    """
    if len(specs) > ASSETS_MAX:
        raise InputError(f"expected at most {ASSETS_MAX} collateral assets, found {len(specs)}")
    for venue in venues:
        share = sum(spec.account_share for spec in specs if spec.venue == venue)
        if share > 1.0 + 1e-9:
            raise InputError(
                f"collateral of {venue}: account_share of its assets must be 1 at most in sum, "
                f"found {share:g}",
                hint="lower account_share, or the upper end of its prior",
            )
    names = [market.name for market in markets]
    record = new(Assets)
    record.count = len(specs)
    for a, spec in enumerate(specs):
        if spec.venue not in venues:
            raise InputError(f"collateral {spec.name}: expected a venue among {venues}, found '{spec.venue}'")
        own = [m.name for m in markets if m.venue == spec.venue or len(venues) == 1]
        if any(m.contract_usd != 0 for m in markets if m.name in own):
            raise InputError(
                f"collateral {spec.name}: expected a venue that settles in USD, found '{spec.venue}', whose "
                "margin is its coin",
                hint="pledge the asset at a linear venue",
            )
        if spec.follows and spec.follows not in own:
            raise InputError(
                f"collateral {spec.name}: expected a market of {spec.venue} to follow, {own}, "
                f"found '{spec.follows}'"
            )
        for name in ("start_price", "depth_coins", "depth_range", "half_life_s"):
            if not getattr(spec, name) > 0:
                raise InputError(f"collateral {spec.name}: {name} must be > 0, found {getattr(spec, name)}")
        for name, top in (("haircut", 0.999), ("charge", 0.5), ("own_weight", 1.0)):
            if not 0 <= getattr(spec, name) <= top:
                raise InputError(
                    f"collateral {spec.name}: {name} must be between 0 and {top}, found {getattr(spec, name)}"
                )
        lot = float(spec.lot_coins)
        haircut = Fraction(spec.haircut).limit_denominator(PPM)
        charge = Fraction(spec.charge).limit_denominator(PPM)
        k = names.index(spec.follows) if spec.follows else -1
        record.venue_of[a] = venues.index(spec.venue)
        record.market[a] = k
        record.start_uusd[a] = uusd(spec.start_price * lot)
        record.start_index[a] = to_int(markets[k].start_index, markets[k].tick_usd, "index") if k >= 0 else 1
        record.haircut_num[a], record.haircut_den[a] = haircut.numerator, haircut.denominator
        record.charge_num[a], record.charge_den[a] = charge.numerator, charge.denominator
        record.own_weight[a] = spec.own_weight
        record.bid_density[a] = below(spec.depth_coins, lot, spec.depth_range)
        record.resilience[a] = per_step(spec.half_life_s)
        record.flight_lots[a] = 10.0 * spec.flight_usd_per_s / (spec.start_price * lot)
        record.beta[a] = max(0.2, markets[k].news_beta) if k >= 0 else 0.2
        if record.start_uusd[a] < 1000:
            raise InputError(
                f"collateral {spec.name}: a lot of {lot:g} coins is worth {record.start_uusd[a]} uusd; "
                "prices would be too coarse below 1,000",
                hint="choose a larger lot_coins",
            )
    return record


def pledge(
    specs: list[AssetSpec], assets: Assets, columns: dict[str, Int64s], rng: np.random.Generator
) -> Int64s:
    """Give some holders part of their margin in other assets; lots pledged, int64 [N, A].

    What an asset counts as margin at the start is taken off the wallet, so nobody's equity changes. Only
    cross accounts pledge, each at most one asset.
    """
    n = columns["role"].shape[0]
    pledged = np.zeros((n, len(specs)), dtype=np.int64)
    drawn = rng.random(n)
    before = {name: 0.0 for name in {spec.venue for spec in specs}}
    for a, spec in enumerate(specs):
        low, before[spec.venue] = before[spec.venue], before[spec.venue] + spec.account_share
        chosen = (
            (columns["role"] == HOLDER) & (columns["mode"] == CROSS)
            & (columns["venue"] == assets.venue_of[a]) & (columns["wallet"] > 0)
            & (drawn >= low) & (drawn < before[spec.venue])
        )  # fmt: skip
        num, den = int(assets.haircut_num[a]), int(assets.haircut_den[a])
        price = int(assets.start_uusd[a])
        for row in np.flatnonzero(chosen):
            part = int(int(columns["wallet"][row]) * spec.margin_share)
            lots = part * den // ((den - num) * price)
            pledged[row, a] = lots
            columns["wallet"][row] -= lots * price * (den - num) // den
    return pledged
