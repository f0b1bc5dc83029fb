"""The readable twin: the same second of the same market as the engine's kernels, in plain Python.

It is the specification. Everybody is looked at in every round, winners are fully sorted, every sum is
added up again: slow, and short enough to read in one sitting. Whatever the kernels do faster must come
out the same, to the micro-dollar and to the last bit of every price. The tests draw markets and compare
after every second.

One second (`Twin.step`), phase by phase; each file that the class builds on holds some of them:

     1  news moves the fair value
     2  displacement decays, makers re-quote from the volatility of the seconds before; holders of
        collateral outside sell
     3  own orders: stops, arbitrage, dip buyers, exits, the fund's unwinding
     4  spot gives the index; index, moving average and contract price give the mark
     5  margin of everybody at mark
     6  the liquidatable are collected; limits are set before anything trades
     7  orders into the book, one average price per market and side
     8  takeover by the insurance fund
     9  auto-deleveraging; 4–9 again until nobody is liquidatable
    10  funding at the venue's hours, settlement of a negative fund every minute
    11  the ledger is checked
    12  volatility is learnt, the minute recorded
"""

from __future__ import annotations

from collections.abc import Sequence

from deleverage.engine.setup import MarketWorld
from deleverage.errors import Status
from deleverage.venues.rules import TierTable
from reference.book import PPB, funding_rate_ppb
from reference.ledger import MINUTE_S
from reference.liquidation import Liquidation
from reference.market import up


class Twin(Liquidation):
    """A market that steps second by second.

    Parameters
    ----------
    world : where it starts; only read.
    tables : margin tiers, one table a market.
    """

    def __init__(self, world: MarketWorld, tables: Sequence[TierTable]) -> None:
        super().__init__(world, tables)
        for market in self.markets:
            fair = market.start_fair_ticks
            self.refresh_mid(market, fair)
            market.basis_window = [market.mid - market.index] * market.venue.mark_window
            market.ema_sum = float(market.mid - market.index)
            market.last_mid = self.price(market, fair)
            market.last_fair = fair
            self.sums.start_mid[market.number] = self.sums.trough[market.number] = market.mid
            self.sums.trough_step[market.number] = 0
            self.sums.interest_before[market.number] = self.open_interest(market)
        self.sums.asset_lowest_uusd = [asset.start_uusd for asset in self.assets]
        self.set_marks()
        for market in self.markets:
            market.previous_mark = market.mark
        self.deposits = self.money_held()  # by venue, spot last
        self.fund_before = [self.equity(fund) for fund in self.funds]
        self.fund_high = [*self.fund_before]

    def step(self, fair: Sequence[int]) -> Status:
        """Live through one second with the news' fair values [ticks]."""
        self.second += 1
        rules = self.rules
        self.minute = self.minutes[(self.second - 1) // MINUTE_S]
        if (self.second - 1) % MINUTE_S == 0:
            self.touch_range()
        for market in self.markets:  # 2
            self.requote(market)
        self.sell_outside()
        self.order_between_venues()  # 3
        for market, value in zip(self.markets, fair, strict=True):
            if not self.is_halted(market.venue):
                self.trade_own_orders(market, value)
        self.fired_stops = [a for a in self.fired_stops if self.is_halted(self.venues[a.venue])]
        self.touch_range()
        status = self.cascade(fair) if self.is_in_range() else Status.OUT_OF_RANGE  # 4–9
        if status.is_failure:
            return status
        for market in self.markets:
            basis = market.mid - market.index
            market.basis_window[self.second % market.venue.mark_window] = basis
            market.ema_sum = market.ema_sum * rules.ema_decay + float(basis)
            market.ema_weight = market.ema_weight * rules.ema_decay + 1.0
            if market.index > 0:
                market.premium_sum += (market.mid - market.index) * PPB // market.index
        self.premium_count = [count + 1 for count in self.premium_count]
        self.fire_stops()
        self.cover_balances()
        for number, venue in enumerate(self.venues):  # 10
            due = (rules.start_s + self.second) % venue.funding_interval_s == 0
            if due and not self.is_halted(venue):
                self.pay_funding(number)
        settlement = self.second % MINUTE_S == 0 or self.second == rules.steps
        if settlement and rules.adl and rules.socialise:
            for fund in self.funds:
                self.socialise(fund)
        if not self.is_balanced():  # 11
            return Status.NOT_CONSERVED
        for market, value in zip(self.markets, fair, strict=True):  # 12
            self.learn_flow(market)
            if not self.is_halted(market.venue):
                self.learn_volatility(market, value)
        if settlement:
            self.fund_high = [
                max(high, self.equity(fund)) for high, fund in zip(self.fund_high, self.funds, strict=True)
            ]
        self.record_minute(settlement)
        return Status.OK

    def cascade(self, fair: Sequence[int]) -> Status:
        """Liquidate in rounds until nobody is liquidatable."""
        for market in self.markets:
            market.previous_mark = market.mark
        self.set_marks()
        for _ in range(self.rules.max_rounds):
            hit = [account for account in self.accounts if self.is_liquidatable(account)]
            if not hit:
                return Status.OK
            self.sums.rounds += 1
            for account in hit:
                account.in_round = True
            self.liquidate(hit, fair)
            for market, value in zip(self.markets, fair, strict=True):
                self.refresh_mid(market, value)
            self.touch_range()
            if not self.is_in_range():
                return Status.OUT_OF_RANGE
            self.set_marks()
        return Status.MAX_ROUNDS

    def is_in_range(self) -> bool:
        """No price at zero or beyond fifty times its start; of an inverse market nor below a fiftieth."""
        return all(
            m.mid > 0
            and m.index > 0
            and m.mid <= 50 * self.sums.start_mid[m.number]
            and not (m.is_inverse and 50 * min(m.mid, m.index) < self.sums.start_mid[m.number])
            for m in self.markets
        )

    def set_marks(self) -> None:
        """Phase 4. Rounds of one second see the same moving average and a new contract price."""
        for market in self.markets:
            if not self.is_halted(market.venue):
                market.mark = max(1, self.mark(market))
                if market.is_inverse:
                    market.mark = max(market.mark, market.start_fair_ticks // 50)
        self.set_collateral_prices()

    def pay_funding(self, number: int) -> None:
        """q·m·v·F from longs to shorts (F > 0); owed is rounded up, the fund keeps the difference."""
        venue = self.venues[number]
        for market in self.markets[venue.first : venue.end]:
            premium = market.premium_sum // max(self.premium_count[number], 1)
            rate = funding_rate_ppb(
                premium, venue.interest_ppb, venue.clamp_ppb, venue.funding_interval_s // 3600, venue.cap_ppb
            )
            market.funding_ppb = rate
            market.premium_sum = 0
            fund = self.fund_behind(market)
            for account in self.accounts:
                value = account.size[market.number] * market.notional(1)
                self.transfer(account, fund, up(value * rate, PPB))
        self.premium_count[number] = 0
        self.sums.funding_payments += 1

    def touch_range(self) -> None:
        """The minute's high and low include the mid."""
        for market, bar in zip(self.markets, self.minute, strict=True):
            if bar.open == 0:
                bar.open = bar.high = bar.low = market.mid
            bar.high = max(bar.high, market.mid)
            bar.low = min(bar.low, market.mid)

    def record_minute(self, settlement: bool) -> None:
        """Prices and depth at the end of the second; open interest and fund at the end of the minute."""
        for market, bar in zip(self.markets, self.minute, strict=True):
            alive = self.presence(market.venue_of)
            bar.close, bar.mark, bar.index = market.mid, market.mark, market.index
            bar.bid_share = market.bid_share * alive
            bar.ask_share = market.ask_share * alive
            bar.spread = 2.0 * self.half_spread(market)
            if settlement:
                bar.open_interest = self.open_interest(market)
                bar.fund_uusd = market.in_usd(self.equity(self.fund_behind(market)))
