"""Collateral besides the settlement asset, in plain Python: its price, and when the venue sells it.

Part of the twin (`reference/engine.py`); the same seconds as `deleverage/engine/collateral.py`.
"""

from __future__ import annotations

from math import floor

from reference.book import absorbed, average_price, displacement, exp_neg
from reference.market import FUND, Account, Asset, up
from reference.prices import Prices

PPM = 1_000_000


class Collateral(Prices):
    """What the twin does with pledged assets."""

    def redemption_value(self, asset: Asset) -> int:
        """What a lot can be exchanged for [uusd]: dollars, or so much of what it follows."""
        if asset.market < 0:
            return asset.start_uusd
        return asset.start_uusd * self.markets[asset.market].index // asset.start_index

    def set_collateral_prices(self) -> None:
        """The own book counts with its weight; all else at what the asset can be redeemed for."""
        for number, asset in enumerate(self.assets):
            if self.is_halted(self.venues[asset.venue_of]):
                continue
            value = asset.price = self.redemption_value(asset)
            if asset.own_weight > 0.0 and asset.u > 0.0:
                self.sums.fired_collateral = 1
                if self.rules.collateral:
                    level = 1.0 - asset.own_weight + asset.own_weight * exp_neg(asset.u)
                    asset.price = floor(float(value) * level)
            self.sums.asset_lowest_uusd[number] = min(self.sums.asset_lowest_uusd[number], asset.price)
            if value > 0:
                lowest = self.sums.asset_lowest_ppm
                lowest[number] = min(lowest[number], PPM * asset.price // value)

    def sell_outside(self) -> None:
        """Own books come back; holders outside sell in proportion to the fall of the venue's first market."""
        for asset in self.assets:
            venue = self.venues[asset.venue_of]
            if self.is_halted(venue):
                continue
            fall = 1.0 - float(self.markets[venue.first].mark) / float(self.sums.start_mid[venue.first])
            asset.u = asset.u - asset.u * asset.resilience
            if fall > 0.0:
                asset.u = asset.u + fall * asset.flight_lots / asset.bid_density

    def sell_collateral(self, owing: list[Account], owed: list[int]) -> None:
        """Sell, asset by asset, until each has covered what it owes.

        Lots are set at the own book's price before the walk; all trade at its mean price, rounded down.
        """
        for a, asset in enumerate(self.assets):
            value = self.redemption_value(asset)
            quote = floor(float(value) * exp_neg(asset.u))
            if quote <= 0:
                continue
            lots = [
                min(
                    account.pledged[a],
                    up(up(need * asset.charge_den, asset.charge_den - asset.charge_num), quote),
                )
                if need > 0
                else 0
                for account, need in zip(owing, owed, strict=True)
            ]
            total = sum(lots)
            if total == 0:
                continue
            density = asset.bid_density
            unit = floor(float(value) * average_price(asset.u, float(total), density, density, 0.0))
            consumed = absorbed(asset.u, density, density, 0.0) + float(total)
            asset.u = displacement(consumed, density, density, 0.0)
            fund = self.funds[self.markets[self.venues[asset.venue_of].first].fund_of]
            for i, account in enumerate(owing):
                charge = lots[i] * unit * asset.charge_num // asset.charge_den
                account.pledged[a] -= lots[i]
                account.wallet += lots[i] * unit - charge
                fund.wallet += charge
                owed[i] -= lots[i] * unit - charge
            asset.pool += total
            asset.cash -= total * unit
            self.sums.exchanged_lots[a] += total
            self.sums.exchanged_uusd[a] += total * unit

    def cover_balances(self) -> None:
        """Once a second: who owes the venue its limit or more sells collateral; funds keep what they took."""
        owing = [
            account
            for account in self.accounts
            for venue in (self.venues[account.venue],)
            if account.role < FUND
            and account.wallet < 0
            and account.wallet <= -venue.exchange_limit_uusd
            and any(account.pledged)
            and not account.closed
            and not self.is_halted(venue)
        ]
        if owing:
            self.sell_collateral(owing, [-account.wallet for account in owing])

    def cover_closed(self, hit: list[Account], dues: list[int]) -> None:
        """After a round's trades: who has nothing left open pays what it owes out of collateral.

        That is a balance below zero, and the clearance fee beyond what it holds.
        """
        owing = [
            (account, due - account.wallet)
            for account, due in zip(hit, dues, strict=True)
            if due > account.wallet and any(account.pledged) and not account.has_position
        ]
        if owing:
            self.sell_collateral([account for account, _ in owing], [owed for _, owed in owing])

    def take_collateral(self, account: Account, fund: Account, worth: int | None) -> None:
        """The fund takes collateral worth what it paid at the price of margin, or all of it (None)."""
        for a, asset in enumerate(self.assets):
            if worth is None:
                lots = account.pledged[a]
            elif worth > 0 and asset.price > 0:
                lots = min(account.pledged[a], up(worth, asset.price))
                worth -= lots * asset.price
            else:
                lots = 0
            account.pledged[a] -= lots
            fund.pledged[a] += lots
            self.sums.seized_lots[a] += lots
