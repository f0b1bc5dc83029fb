"""How a quantity trades, in plain Python: one walk, one average price, named accounts on the other side.

Part of the twin (`reference/engine.py`); as `deleverage/engine/fills.py`.
"""

from __future__ import annotations

from math import ceil, floor

from deleverage.venues.rules import Slice
from reference.book import absorbed, average_price, displacement, log_distance
from reference.ledger import FORCED, ORDINARY
from reference.makers import Makers
from reference.market import ARBITRAGEUR, LONG, MAKER, NEVER_TICKS, PROFIT_TAKER, SHORT, Account, Market

PPM = 1_000_000
UNBOUNDED = 1 << 61


class Fills(Makers):
    """Trading against the book."""

    def walk(self, market: Market, fair: int, lots: int) -> tuple[int, int]:
        """Sell ``lots`` (< 0: buy) into the book; what a seller gets and a buyer pays for a lot [money].

        Both are the average price, half the spread included, rounded against whoever trades. Of an inverse
        market the coins are averaged: the mean of 1/price, the book seen upside down.
        """
        bid, ask, latent = self.book(market)
        before = market.u
        if market.is_inverse:
            mean = 1.0 / average_price(-before, -float(lots), ask, bid, latent)
        else:
            mean = average_price(before, float(lots), bid, ask, latent)
        after = displacement(absorbed(before, bid, ask, latent) + float(lots), bid, ask, latent)
        if self.rules.double_impact:
            after = after + (after - before)
        market.u = after
        spread = self.half_spread(market)
        factor = 1.0 - spread if lots > 0 else 1.0 + spread if lots < 0 else 1.0
        price = self.anchor(market, fair) * mean * factor
        value = (
            -float(market.inverse_unit) / price if market.is_inverse else price * float(market.tick_lot_uusd)
        )
        return floor(value), ceil(value)

    def capacity(self, account: Account, market: Market, buying: bool) -> int:
        """Lots that a named counterparty would take at most."""
        size = account.size[market.number]
        if account.role == MAKER:
            return max(0, market.maker_limit_lots - (size if buying else -size))
        if account.role == ARBITRAGEUR:
            return max(0, -size if buying else market.arbitrage_limit_lots + size)
        if account.role == PROFIT_TAKER:
            return max(0, -size if buying else 0)
        return 0

    def settle_book(self, market: Market, lots: int, unit_uusd: int) -> None:
        """The book's side of a walk: each named account its share, up to its capacity, newcomers the rest."""
        sign = 1 if lots > 0 else -1
        total = left = abs(lots)
        for account in self.named:
            if account.closed or account.in_round or account.venue != market.venue_of:
                continue
            part = min(total * account.fill_share_ppm // PPM, self.capacity(account, market, lots > 0), left)
            if part > 0:
                self.trade(account, market, sign * part, unit_uusd, ORDINARY)
                left -= part
        if left > 0:
            self.trade(self.newcomers[market.venue_of], market, sign * left, unit_uusd, ORDINARY)

    def fillable(self, market: Market, fair: int, side: int, limit: int | None) -> int:
        """Lots that can trade before the price, after half the spread, passes the limit."""
        if limit is None or (side == LONG and limit == 0) or (side == SHORT and limit >= NEVER_TICKS):
            return UNBOUNDED
        if limit == 0:
            return 0
        bid, ask, latent = self.book(market)
        spread, anchor = self.half_spread(market), self.anchor(market, fair)
        consumed = absorbed(market.u, bid, ask, latent)
        if side == LONG:
            room = (
                absorbed(log_distance(float(limit) / (anchor * (1.0 - spread))), bid, ask, latent) - consumed
            )
        else:
            room = consumed - absorbed(
                log_distance(float(limit) / (anchor * (1.0 + spread))), bid, ask, latent
            )
        return max(0, floor(room))

    def fill_batch(
        self, market: Market, fair: int, side: int, orders: list[tuple[Account, int, int | None]]
    ) -> list[int]:
        """Fill (account, lots, limit) of one side in one walk, at one price. Lots filled of each order.

        The most willing limit goes first, then the lower uid. An order fills as far as the price at its
        end is within its limit; those at the marginal limit share what is left in proportion, leftover
        lots by uid.
        """
        filled = [0] * len(orders)
        if not orders:
            return filled
        no_limit = orders[0][2] is None
        if no_limit:
            filled = [wanted for _, wanted, _ in orders]
        else:
            limits = [limit or 0 for _, _, limit in orders]
            least_willing = max(limits) if side == LONG else min(limits)
            if self.fillable(market, fair, side, least_willing) >= sum(wanted for _, wanted, _ in orders):
                filled = [wanted for _, wanted, _ in orders]
            else:
                for limit in sorted(set(limits), reverse=side != LONG):
                    group = [i for i, own in enumerate(limits) if own == limit]
                    asked = sum(orders[i][1] for i in group)
                    room = self.fillable(market, fair, side, limit) - sum(filled)
                    if room >= asked:
                        for i in group:
                            filled[i] = orders[i][1]
                        continue
                    if room > 0 and market.venue.slice != Slice.LOWER_TIER:  # fill or kill
                        for i in group:
                            filled[i] = orders[i][1] * room // asked
                        left = room - sum(filled[i] for i in group)
                        for i in group:
                            if left and filled[i] < orders[i][1]:
                                filled[i] += 1
                                left -= 1
                    break
        quantity = sum(filled)
        if quantity == 0:
            return filled
        lots = quantity if side == LONG else -quantity
        sell, buy = self.walk(market, fair, lots)
        if not no_limit:
            # The average cannot be beyond the worst limit that filled, whatever the rounding.
            used = [limit or 0 for (_, _, limit), part in zip(orders, filled, strict=True) if part]
            bound = market.money(max(used) if side == LONG else min(used))
            if side == LONG:
                sell = max(sell, bound)
                buy = max(buy, sell)
            else:
                buy = min(buy, bound)
                sell = min(sell, buy)
        for (account, _, _), part in zip(orders, filled, strict=True):
            if part:
                self.trade(
                    account, market, -part if side == LONG else part, sell if side == LONG else buy, FORCED
                )
        market.forced_lots += quantity
        self.settle_book(market, lots, buy if side == LONG else sell)
        self.fund_behind(market).wallet += quantity * (buy - sell)
        return filled
