"""Everybody's own orders, in plain Python: stops, arbitrage, dip buyers, exits, the fund, hedges in spot.

Part of the twin (`reference/engine.py`); as `deleverage/engine/behaviour.py`.
"""

from __future__ import annotations

from math import ceil, floor

from reference.book import absorbed, average_price, displacement
from reference.fills import Fills
from reference.ledger import ORDINARY
from reference.market import LONG, SHORT, Account, Arbitrageur, Market


class Orders(Fills):
    """Phase 3 of a second."""

    def trade_own_orders(self, market: Market, fair: int) -> None:
        """Everybody's orders, netted: what meets trades at the price of the remainder's walk."""
        orders = [
            order
            for order in (
                *self.stop_orders(market),
                *self.arbitrage_orders(market),
                *self.dip_orders(market),
                *self.exit_orders(market),
                *self.fund_orders(market),
            )
            if order[1] != 0
        ]
        if orders:
            bought = sum(lots for _, lots in orders if lots > 0)
            sold = sum(-lots for _, lots in orders if lots < 0)
            net = sold - bought
            sell, buy = self.walk(market, fair, net)
            for account, lots in orders:
                self.trade(account, market, lots, buy if lots > 0 else sell, ORDINARY)
            # What the fund sells on are contracts that liquidations forced out.
            fund = self.fund_behind(market)
            unwound = sum(abs(lots) for account, lots in orders if account is fund)
            forced = min(unwound, abs(net))
            market.forced_lots += forced
            market.other_lots += abs(net) - forced
            if net:
                self.settle_book(market, net, buy if net > 0 else sell)
            self.fund_behind(market).wallet += max(bought, sold) * (buy - sell)  # what rounding leaves
        self.hedge_spot(market, fair)
        self.refresh_mid(market, fair)

    def stop_orders(self, market: Market) -> list[tuple[Account, int]]:
        """Close what the stops that fired in the last second ask for."""
        k = market.number
        orders = [(a, -a.size[k]) for a in self.fired_stops if not a.closed and a.size[k]]
        for _, lots in orders:
            self.sums.stops[k] += 1
            self.minute[k].stops += abs(lots)
            self.sums.fired_stops = 1
        return orders

    def fire_stops(self) -> None:
        """Stops trigger at the last price and trade in the next second; each once."""
        if not self.rules.stops:
            return
        still = []
        for account, k in self.waiting_stops:
            if self.is_halted(self.markets[k].venue):
                still.append((account, k))
                continue
            mid, stop, size = self.markets[k].mid, account.stop_ticks, account.size[k]
            if (stop >= mid) if size > 0 else (stop <= mid):
                if not account.closed and size:
                    self.fired_stops.append(account)
            else:
                still.append((account, k))
        self.waiting_stops = still

    def arbitrage_orders(self, market: Market) -> list[tuple[Account, int]]:
        """Buy what was too cheap some seconds ago (sell what was too dear), within capacity."""
        rules, k = self.rules, market.number
        slot = self.second % rules.arbitrage_latency
        gap, market.seen_u[slot] = market.seen_u[slot], market.u
        beyond = abs(gap) - rules.arbitrage_threshold
        alive = [a for a in self.arbitrageurs if not a.account.closed and a.account.venue == market.venue_of]
        each = 0
        if beyond > 0.0 and alive:
            density = market.bid_density if gap > 0.0 else market.ask_density
            each = floor(min(beyond * density, float(market.arbitrage_cap_lots))) // len(alive)
        orders = []
        for a in alive:
            crossed, a.cross_now[k] = a.cross_now[k], 0
            a.cross_lots[k] += crossed
            held = a.account.size[k] + crossed
            # Short positions are bought back, no further.
            own = (
                min(each, max(0, -held))
                if gap > 0.0
                else -min(each, max(0, market.arbitrage_limit_lots + held))
            )
            orders.append((a.account, own + crossed))
        return orders

    def order_between_venues(self) -> None:
        """Buy a coin where its perpetual was cheapest some seconds ago, sell as much where it was dearest.

        The part of the gap beyond two thresholds, within both capacities and what the arbitrageurs of each
        side can do; divided among them in order of uid.
        """
        if len(self.venues) == 1:
            return
        rules = self.rules
        slot = self.second % rules.arbitrage_latency
        for coin in sorted({m.coin_of for m in self.markets}):
            open_markets = [
                m
                for m in self.markets
                if m.coin_of == coin and not m.is_inverse and not self.is_halted(m.venue)
            ]
            if not open_markets:
                continue
            cheap = max(open_markets, key=lambda m: m.seen_u[slot])
            dear = min(open_markets, key=lambda m: m.seen_u[slot])
            beyond = cheap.seen_u[slot] - dear.seen_u[slot] - 2.0 * rules.arbitrage_threshold
            if cheap is dear or beyond <= 0.0:
                continue
            both = 1.0 / cheap.bid_density + 1.0 / dear.ask_density
            cap = min(cheap.arbitrage_cap_lots, dear.arbitrage_cap_lots)
            lots = floor(min(beyond / both, float(cap)))
            room = [
                [
                    (a, max(0, -held if buying else m.arbitrage_limit_lots + held))
                    for a in self.arbitrageurs
                    for held in (a.account.size[m.number],)
                    if not a.account.closed and a.account.venue == m.venue_of
                ]
                for m, buying in ((cheap, True), (dear, False))
            ]
            lots = min(lots, *(sum(part for _, part in side) for side in room))
            for m, side, sign in ((cheap, room[0], 1), (dear, room[1], -1)):
                left = lots
                for a, most in side:
                    part = min(left, most)
                    a.cross_now[m.number] = sign * part
                    left -= part

    def dip_orders(self, market: Market) -> list[tuple[Account, int]]:
        """Buy in proportion to the displacement beyond a threshold, up to a leverage."""
        beyond = market.u - self.rules.dip_threshold
        alive = [a for a in self.dip_buyers if not a.closed and a.venue == market.venue_of]
        unit = market.notional(1)
        if beyond <= 0.0 or not alive or unit == 0:
            return []
        each = floor(beyond * market.dip_lots / float(len(alive)))
        room = [self.equity(a) * self.rules.dip_leverage - self.gross(a) for a in alive]
        return [(a, min(each, max(0, money // unit))) for a, money in zip(alive, room, strict=True)]

    def exit_orders(self, market: Market) -> list[tuple[Account, int]]:
        """With liquidations off: what the vehicles were given is sold (bought back) evenly, to the lot."""
        orders = []
        for side, sign in ((LONG, -1), (SHORT, 1)):
            vehicle = self.vehicles[side][market.venue_of]
            due = market.exit_carry[side] + market.exit_assigned[side]
            lots, market.exit_carry[side] = divmod(due, self.rules.exit_steps)
            orders.append((vehicle, sign * min(lots, abs(vehicle.size[market.number]))))
        return orders

    def fund_orders(self, market: Market) -> list[tuple[Account, int]]:
        """The fund sells a share of its inventory, at least one lot."""
        fund = self.fund_behind(market)
        size = fund.size[market.number]
        if size == 0 or market.fund_unwind <= 0.0:
            return []
        lots = max(1, floor(float(abs(size)) * market.fund_unwind))
        return [(fund, -lots if size > 0 else lots)]

    def spot_gap(self, a: Arbitrageur, market: Market) -> int:
        """Lots of spot by which it is too long in the coin; where coins are the money, all of them count."""
        account, k = a.account, market.number
        if not market.is_inverse:
            return account.size[k] + a.spot_lots[k] - a.cross_lots[k]
        if k != market.venue.first:
            return 0
        return (account.wallet - sum(account.cost)) // market.coin_unit + a.spot_lots[k]

    def hedge_spot(self, market: Market, fair: int) -> None:
        """Arbitrageurs bring spot to the other side of their perpetual; spot moves, and the index.

        Late and within capacity: hedged is what was open then and is still open.
        """
        here = [a for a in self.arbitrageurs if a.account.venue == market.venue_of]
        k, cap = market.number, market.arbitrage_cap_lots
        if market.is_inverse:
            cap = market.notional(cap) // market.coin_unit
        cap = max(1, cap // max(1, len(here)))
        slot = self.second % self.rules.hedge_latency
        parts = []
        for a in here:
            gap = self.spot_gap(a, market)
            seen, a.seen_gaps[k][slot] = a.seen_gaps[k][slot], gap
            same_side = gap * seen > 0
            lots = min(abs(gap), abs(seen), cap) if same_side else 0
            parts.append(-lots if gap > 0 else lots)
        if not any(parts):
            return
        sold = float(-sum(parts))
        book = self.markets[market.spot_of]
        bid, ask = book.spot_bid_density, book.spot_ask_density
        mean = average_price(book.spot_u, sold, bid, ask, 0.0)
        book.spot_u = displacement(absorbed(book.spot_u, bid, ask, 0.0) + sold, bid, ask, 0.0)
        value = float(fair) * mean * float(market.tick_lot_uusd)
        for a, lots in zip(here, parts, strict=True):
            paid = lots * (ceil(value) if lots > 0 else floor(value))
            a.spot_lots[k] += lots
            a.spot_cash -= paid
            market.pool_lots -= lots
            self.pool_cash += paid
        self.sums.spot_sold[k] -= sum(parts)
