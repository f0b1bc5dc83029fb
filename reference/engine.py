"""The readable twin: the same second of the same market as the engine's kernels, in plain Python.

It is the specification. Everybody is looked at in every round, winners are fully sorted, every sum is
added up again: slow, and short enough to read in one sitting. Whatever the kernels do faster must come
out the same, to the micro-dollar and to the last bit of every price. The tests draw markets and compare
after every second.

One second (`Twin.step`), in the order in which it is written below:

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
from math import ceil, floor, sqrt

from deleverage.engine.setup import MarketWorld
from deleverage.errors import Status
from deleverage.venues.rules import (
    AdlPrice,
    AdlRank,
    AdlTrigger,
    MarkRule,
    OrderLimit,
    Slice,
    Takeover,
    TierTable,
    Trigger,
)
from reference.book import (
    PPB,
    absorbed,
    average_price,
    displacement,
    exp_neg,
    funding_rate_ppb,
    log_distance,
    median_mark,
)
from reference.collateral import Collateral
from reference.market import (
    ARBITRAGEUR,
    DIP_BUYER,
    EXIT_LONG,
    EXIT_SHORT,
    FUND,
    LIQUIDATE,
    LONG,
    MAKER,
    NEVER_TICKS,
    NEWCOMER,
    PROFIT_TAKER,
    SELL_EVENLY,
    SHORT,
    Account,
    Arbitrageur,
    Market,
    Minute,
    Rules,
    Sums,
    Venue,
    plain,
    read_accounts,
    read_assets,
    read_markets,
    up,
)

ORDINARY, FORCED, DELEVERAGED, TRANSFER = range(4)
ORDER, BACKSTOP, DELEVERAGE = range(3)
PPM = 1_000_000
MINUTE_S = 60
RANK_S = 10
UNBOUNDED = 1 << 61


class Twin(Collateral):
    """A market that steps second by second.

    Parameters
    ----------
    world : where it starts; only read.
    tables : margin tiers, one table a market.
    """

    def __init__(self, world: MarketWorld, tables: Sequence[TierTable]) -> None:
        self.rules = plain(Rules, world.params)
        venue_count = int(world.venues.count)
        self.markets = read_markets(world, tables, self.rules)
        self.accounts = read_accounts(world)
        self.assets = read_assets(world)
        self.named = self.of_role(MAKER, ARBITRAGEUR, PROFIT_TAKER, DIP_BUYER, NEWCOMER)
        self.makers = self.of_role(MAKER)
        self.dip_buyers = self.of_role(DIP_BUYER)
        self.newcomers = self.of_role(NEWCOMER)
        self.funds = self.of_role(FUND)
        self.vehicles = (self.of_role(EXIT_LONG), self.of_role(EXIT_SHORT))
        self.venues = [next(m.venue for m in self.markets if m.venue_of == v) for v in range(venue_count)]
        self.arbitrageurs = [
            Arbitrageur(
                account,
                lots,
                0,
                [[0] * self.rules.hedge_latency for _ in lots],
                [0] * len(lots),
                [0] * len(lots),
            )
            for account, lots in zip(self.of_role(ARBITRAGEUR), world.spot_lots.tolist(), strict=True)
        ]
        self.pool_cash = 0
        self.premium_count = [0] * venue_count
        self.dead_makers = [0] * venue_count
        self.fired_stops: list[Account] = []
        self.waiting_stops = [
            (account, k)
            for account in self.accounts
            for k in range(len(self.markets))
            if account.stop_ticks > 0 and account.size[k] != 0
        ]
        # Second and rest of the last ranking, by market and liquidated side.
        self.ranks: dict[tuple[int, int], tuple[int, list[Account]]] = {}
        self.sums = Sums(len(self.markets), venue_count, len(self.assets))
        self.minutes = [
            [Minute() for _ in self.markets] for _ in range(max(1, up(self.rules.steps, MINUTE_S)))
        ]
        self.second = 0
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

    def of_role(self, *roles: int) -> list[Account]:
        """Accounts of some roles, in order of uid."""
        return [account for account in self.accounts if account.role in roles]

    # --- the second, phase by phase ------------------------------------------------------------------

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
            if (rules.start_s + self.second) % venue.funding_interval_s == 0:
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

    # --- the ledger: every change of money and contracts ----------------------------------------------

    def trade(self, account: Account, market: Market, lots: int, unit_uusd: int, reason: int) -> None:
        """``account`` buys ``lots`` (< 0 sells) at ``unit_uusd`` a lot.

        What closes releases its share of the cost, rounded down; what opens adds to it.
        """
        k = market.number
        held, sign = account.size[k], 1 if lots > 0 else -1
        closing = min(abs(held), abs(lots)) if held * sign < 0 else 0
        if closing:
            released = account.cost[k] * closing // abs(held)
            account.wallet += -sign * closing * unit_uusd - released
            account.cost[k] -= released
        opening = abs(lots) - closing
        account.cost[k] += sign * opening * unit_uusd
        account.size[k] += lots
        if reason != TRANSFER:
            opened, closed = (LONG, SHORT) if lots > 0 else (SHORT, LONG)
            sums = self.sums
            by_reason = {ORDINARY: sums.voluntary, FORCED: sums.forced, DELEVERAGED: sums.deleveraged}
            sums.opened[opened][k] += opening
            by_reason[reason][closed][k] += closing
            if reason == FORCED:
                worth = market.usd(closing)
                sums.forced_uusd[closed][k] += worth
                self.minute[k].liquidated[closed] += closing
                self.minute[k].liquidated_uusd[closed] += worth

    def transfer(self, payer: Account, payee: Account, amount: int) -> None:
        """Money from one wallet to another."""
        payer.wallet -= amount
        payee.wallet += amount

    def fund_behind(self, market: Market) -> Account:
        """The insurance fund of a market."""
        return self.funds[market.fund_of]

    def equity(self, account: Account) -> int:
        """Wallet, other collateral after haircuts, unrealised profit at the marks [money of its venue]."""
        return (
            account.wallet
            + self.collateral_value(account)
            + sum(
                account.size[m.number] * m.money(m.mark) - account.cost[m.number]
                for m in self.markets
                if account.size[m.number]
            )
        )

    def notional(self, account: Account, market: Market) -> int:
        """|q|·m·v, or the coins of it [money]."""
        return market.notional(account.size[market.number])

    def gross(self, account: Account) -> int:
        """Notional over all markets [uusd]."""
        return sum(self.notional(account, market) for market in self.markets)

    def margin_owed(self, account: Account) -> int:
        """Maintenance margin over all markets [uusd]."""
        return sum(m.margin.of(self.notional(account, m)) for m in self.markets if account.size[m.number])

    def is_liquidatable(self, account: Account) -> bool:
        """Health < 0. Funds, exit vehicles and the crowd of newcomers never are, nor what was left alone.

        An account that has had its order may have to wait for the next second.
        """
        if account.role >= FUND or account.role == NEWCOMER or account.closed or not account.has_position:
            return False
        if account.waits and account.ordered == self.second:
            return False
        return self.equity(account) < self.margin_owed(account)

    def open_interest(self, market: Market) -> int:
        """Contracts, one side counted [lots]."""
        return sum(max(0, account.size[market.number]) for account in self.accounts)

    def money_held(self) -> list[int]:
        """Σ (wallet − Σ cost) of everybody at each venue, and of spot: the deposits, always [money].

        What is paid for a venue's collateral comes from outside and is counted there.
        """
        held = [
            sum(account.wallet - sum(account.cost) for account in self.accounts if account.venue == venue)
            + sum(asset.cash for asset in self.assets if asset.venue_of == venue)
            for venue in range(len(self.venues))
        ]
        return [*held, self.pool_cash + sum(a.spot_cash for a in self.arbitrageurs)]

    def is_balanced(self) -> bool:
        """Deposits are all there, each contract has two sides, and each closed once."""
        sums = self.sums
        balanced = self.money_held() == self.deposits
        for a, asset in enumerate(self.assets):
            balanced &= asset.pool + sum(account.pledged[a] for account in self.accounts) == 0
        for market in self.markets:
            k = market.number
            balanced &= sum(account.size[k] for account in self.accounts) == 0
            balanced &= market.pool_lots + sum(a.spot_lots[k] for a in self.arbitrageurs) == 0
            balanced &= sums.forced[LONG][k] + sums.forced[SHORT][k] == (
                sums.book[k] + sums.takeover[k] + sums.adl[k]
            )
            for side in (LONG, SHORT):
                closed = sums.forced[side][k] + sums.deleveraged[side][k] + sums.voluntary[side][k]
                balanced &= (
                    self.open_interest(market) == sums.interest_before[k] + sums.opened[side][k] - closed
                )
        return balanced

    # --- prices ---------------------------------------------------------------------------------------

    def weighted_median(self, weights: list[float], values: list[float]) -> float | None:
        """Value at which half of the weight is reached, ties in order of market. None without weight."""
        total = 0.0
        for weight in weights:
            total += weight
        for j, weight in enumerate(weights[: len(values)]):
            if weight > 0.0:
                below = 0.0
                for i, value in enumerate(values):
                    if value < values[j] or (value == values[j] and i < j):
                        below += weights[i]
                if 2.0 * below < total <= 2.0 * (below + weight):
                    return values[j]
        return None

    def index_level(self, market: Market) -> float:
        """Index ÷ fair value: of one spot market; of several, the median or the mean of those within 5 %."""
        levels = [exp_neg(m.spot_u) for m in self.markets]
        if market.index_weight[market.number] == 1.0:
            return levels[market.number]
        centre = self.weighted_median(market.index_weight, levels)
        assert centre is not None
        if market.venue.index_median:
            return centre
        total = parts = 0.0
        for level, weight in zip(levels, market.index_weight, strict=False):
            if weight > 0.0 and abs(level / centre - 1.0) <= 0.05:
                total += weight
                parts += weight * level
        return parts / total

    def index_price(self, market: Market, fair: int) -> float:
        """The index before it is rounded [ticks]."""
        return float(fair) * self.index_level(market)

    def anchor(self, market: Market, fair: int) -> float:
        """Price about which the perpetual's book stands [ticks]."""
        return self.index_price(market, fair) * market.basis

    def is_halted(self, venue: Venue) -> bool:
        """True while a venue is out."""
        return bool(self.rules.outage and venue.halt_from <= self.second < venue.halt_until)

    def price(self, market: Market, fair: int) -> float:
        """The perpetual's mid before it is rounded [ticks]."""
        return self.anchor(market, fair) * exp_neg(market.u)

    def refresh_mid(self, market: Market, fair: int) -> None:
        """Index and mid, to the nearest tick; the lowest mid is remembered."""
        if self.is_halted(market.venue):
            return
        market.index = int(self.index_price(market, fair) + 0.5)
        market.mid = int(self.price(market, fair) + 0.5)
        if market.mid < self.sums.trough[market.number]:
            self.sums.trough[market.number] = market.mid
            self.sums.trough_step[market.number] = self.second

    def set_marks(self) -> None:
        """Phase 4. Rounds of one second see the same moving average and a new contract price."""
        for market in self.markets:
            if not self.is_halted(market.venue):
                market.mark = max(1, self.mark(market))
                if market.is_inverse:
                    market.mark = max(market.mark, market.start_fair_ticks // 50)
        self.set_collateral_prices()

    def mark(self, m: Market) -> int:
        """The venue's rule for the price at which margin is checked [ticks]."""
        rules, venue = self.rules, m.venue
        mean_basis = sum(m.basis_window) // venue.mark_window
        if rules.trigger_last or venue.trigger == Trigger.LAST:
            return m.mid
        if venue.trigger == Trigger.ORACLE or venue.mark_rule == MarkRule.ORACLE:
            return m.index
        if venue.mark_rule == MarkRule.INDEX_WITH_BASIS:
            return m.index + mean_basis
        if venue.mark_rule == MarkRule.MEDIAN_WITH_EMA:
            own = floor(m.ema_sum / m.ema_weight + 0.5)
            peers = self.weighted_median(m.peer_weight, [other.mid for other in self.markets])
            third = m.index + mean_basis if peers is None else int(peers)
            return sorted((m.index + own, m.mid, third))[1]
        interval = venue.funding_interval_s
        left = interval - (rules.start_s + self.second) % interval
        return median_mark(m.index, mean_basis, m.mid, m.funding_ppb, left, interval)

    # --- 2: the book ----------------------------------------------------------------------------------

    def presence(self, venue: int) -> float:
        """Share of a venue's displayed depth whose owner is alive."""
        makers = [maker for maker in self.makers if maker.venue == venue]
        if not makers:
            return 1.0
        return 1.0 - self.rules.maker_depth_share * float(self.dead_makers[venue]) / float(len(makers))

    def book(self, market: Market) -> tuple[float, float, float]:
        """Density below and above the price, and slope of the latent depth revealed so far."""
        alive = self.presence(market.venue_of)
        return (
            market.bid_density * market.bid_share * alive,
            market.ask_density * market.ask_share * alive,
            market.latent_slope * market.revealed,
        )

    def half_spread(self, market: Market) -> float:
        """Wider as depth leaves; at most 5 %."""
        return min(market.half_spread * 2.0 / (market.bid_share + market.ask_share), 0.05)

    def inventory_share(self, market: Market) -> float:
        """Inventory of living makers ÷ their limit."""
        living = [maker for maker in self.makers if not maker.closed and maker.venue == market.venue_of]
        if not living or market.maker_limit_lots == 0:
            return 0.0
        lots = sum(maker.size[market.number] for maker in living)
        return float(lots) / (float(len(living)) * float(market.maker_limit_lots))

    def requote(self, market: Market) -> None:
        """Displacement decays, latent depth comes or goes, displayed depth follows its target.

            target = 1 / (1 + e·(news + excess) + i·max(0, ±inventory)/limit)

        News is how far the volatility of the fair value exceeds that before the night, excess what the
        price's own volatility adds to it. Excess and inventory are the cascade's as far as liquidations
        are what lately walked the book, and belong to the news otherwise: two mechanisms with a switch
        each. Down fast, up slowly.
        """
        rules = self.rules
        market.spot_u = market.spot_u - market.spot_u * rules.spot_resilience
        if self.is_halted(market.venue):
            self.sums.fired_outage = 1
            return
        market.u = market.u - market.u * rules.resilience
        square = market.u * market.u
        wanted = square / (square + rules.latent_reference * rules.latent_reference)
        market.revealed = market.revealed + (wanted - market.revealed) * rules.latent_reveal

        news = max(0.0, sqrt(market.news_variance) / market.sigma - 1.0)
        excess = max(0.0, sqrt(market.price_variance) / market.sigma - 1.0 - news)
        flow = market.forced_flow + market.other_flow
        forced = market.forced_flow / flow if flow > 0.0 else 0.0
        inventory = self.inventory_share(market)
        cascade = rules.elasticity * (excess * forced)
        calm = rules.elasticity * (news + excess * (1.0 - forced))
        carried = rules.inventory_elasticity * inventory
        self.sums.fired_news |= calm > 0.0 or inventory != 0.0
        self.sums.fired_cascade |= cascade > 0.0 or (forced > 0.0 and inventory != 0.0)
        bid = ask = 1.0
        for is_on, volatility, share in (
            (rules.news_withdrawal, calm, 1.0 - forced),
            (rules.cascade_withdrawal, cascade, forced),
        ):
            if is_on:
                bid += volatility
                ask += volatility
                if inventory > 0.0:
                    bid += carried * share
                else:
                    ask -= carried * share
        market.bid_share = self.approach(market.bid_share, max(1.0 / bid, rules.depth_floor))
        market.ask_share = self.approach(market.ask_share, max(1.0 / ask, rules.depth_floor))

    def approach(self, share: float, target: float) -> float:
        """One second towards a target."""
        return share + (target - share) * (self.rules.down if target < share else self.rules.up)

    def learn_flow(self, market: Market) -> None:
        """Who walked the book in this second enters the makers' averages."""
        weight = self.rules.volatility_weight
        market.forced_flow += (float(market.forced_lots) - market.forced_flow) * weight
        market.other_flow += (float(market.other_lots) - market.other_flow) * weight
        market.forced_lots = market.other_lots = 0

    def learn_volatility(self, market: Market, fair: int) -> None:
        """The second's squared returns enter the makers' averages."""
        mid = self.price(market, fair)
        price_return = (mid - market.last_mid) / market.last_mid
        news_return = (float(fair) - float(market.last_fair)) / float(market.last_fair)
        weight = self.rules.volatility_weight
        market.price_variance += (price_return * price_return - market.price_variance) * weight
        market.news_variance += (news_return * news_return - market.news_variance) * weight
        market.last_mid = mid
        market.last_fair = fair

    # --- trading against the book ---------------------------------------------------------------------

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

    # --- 3: own orders --------------------------------------------------------------------------------

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

    # --- 6–9: a round of liquidations -----------------------------------------------------------------

    def liquidate(self, hit: list[Account], fair: Sequence[int]) -> None:
        """Close accounts whole: into the book down to the limit, then to the fund, then against winners."""
        self.sums.fired_liquidations = 1
        if self.rules.liquidations != LIQUIDATE:
            self.leave_alone(hit)
            return
        # Two-phase: what each meets, its lots and its limits are set before the first fill.
        for account in hit:
            self.count_account(account)
        plans = [self.plan(account) for account in hit]
        busts = [[self.bankruptcy_limit(account, market) for market in self.markets] for account in hit]
        limits = [
            [self.limit(account, market, bust) for market, bust in zip(self.markets, row, strict=True)]
            for account, row in zip(hit, busts, strict=True)
        ]
        lots = [
            [self.order_lots(account, market) if plan == ORDER else 0 for market in self.markets]
            for account, plan in zip(hit, plans, strict=True)
        ]
        first_market = [next(m for m in self.markets if a.size[m.number]) for a in hit]
        held = [sum(map(abs, account.size)) for account in hit]
        filled_uusd = [0] * len(hit)
        for market, value in zip(self.markets, fair, strict=True):
            k, venue = market.number, market.venue
            unit = market.notional(1)
            for side, sign in ((LONG, 1), (SHORT, -1)):
                batch = [i for i, account in enumerate(hit) if account.size[k] * sign > 0]
                ordered = [i for i in batch if lots[i][k]]
                filled = dict.fromkeys(batch, 0)
                orders = [(hit[i], lots[i][k], limits[i][k]) for i in ordered]
                filled |= dict(zip(ordered, self.fill_batch(market, value, side, orders), strict=True))
                quantity = sum(filled.values())
                for i, part in filled.items():
                    filled_uusd[i] += part * unit
                self.sums.book[k] += quantity
                self.sums.book_uusd[k] += market.usd(quantity)
                self.minute[k].book += quantity
                rest = []
                for i in batch:
                    size, whole = abs(hit[i].size[k]), plans[i] != ORDER
                    if venue.takeover == Takeover.NONE and not whole:
                        size, whole = lots[i][k], filled[i] == 0
                    elif venue.takeover == Takeover.FUND and not whole:
                        whole = filled[i] < lots[i][k]
                    if whole and size:
                        rest.append((hit[i], size, busts[i][k], plans[i]))
                if rest:
                    self.absorb_rest(market, side, rest)
        self.cover_closed(hit)
        for account, before in zip(hit, held, strict=True):
            one_a_second = self.venues[account.venue].slice == Slice.SHARE_A_STEP
            account.waits = one_a_second or sum(map(abs, account.size)) == before
        for account, plan, market, amount in zip(hit, plans, first_market, filled_uusd, strict=True):
            self.close_out(account, plan, market, amount)

    def leave_alone(self, hit: list[Account]) -> None:
        """Liquidations off: the position goes to a vehicle that sells evenly, or stays open for good."""
        for account in hit:
            account.closed = True
            if self.rules.liquidations != SELL_EVENLY:
                continue
            for market in self.markets:
                size = account.size[market.number]
                if size:
                    side, unit = LONG if size > 0 else SHORT, market.money(market.mark)
                    self.trade(account, market, -size, unit, TRANSFER)
                    self.trade(self.vehicles[side][account.venue], market, size, unit, TRANSFER)
                    market.exit_assigned[side] += abs(size)

    def count_account(self, account: Account) -> None:
        """An account's first order is recorded; a liquidated maker's quotes leave before anything trades."""
        sums = self.sums
        if sums.first_liquidation_step[account.venue] < 0:
            sums.first_liquidation_step[account.venue] = self.second
        if account.ordered >= 0:
            return
        if account.role == MAKER:
            self.dead_makers[account.venue] += 1
            sums.makers_liquidated += 1
        for k, size in enumerate(account.size):
            sums.accounts_forced[k] += size != 0

    def plan(self, account: Account) -> int:
        """What a liquidatable account meets first."""
        venue, worth = self.venues[account.venue], self.equity(account)
        at_once = venue.adl_trigger in (AdlTrigger.EQUITY_NEGATIVE, AdlTrigger.NOTHING_FILLED)
        if self.rules.adl and worth < 0 and at_once:
            return DELEVERAGE
        if venue.takeover == Takeover.VAULT and worth < self.margin_owed(account) * venue.backstop_ppm // PPM:
            return BACKSTOP
        return ORDER

    def order_lots(self, account: Account, market: Market) -> int:
        """How much of a position one order closes by the venue's slice rule."""
        venue, size = market.venue, abs(account.size[market.number])
        usd, unit, value = market.usd(1), market.notional(1), self.notional(account, market)
        if size == 0:
            return 0
        if venue.slice == Slice.SHARE_THEN_WHOLE:
            cooling = account.ordered >= 0 and self.second - account.ordered <= venue.cooldown_s
            if size * usd > venue.slice_above_uusd and not cooling:
                return up(size * venue.slice_ppm, PPM)
        elif venue.slice == Slice.SHARE_A_STEP and usd > 0:
            lots = max(size * venue.slice_ppm // PPM, up(venue.slice_minimum_uusd, usd))
            if venue.slice_maximum_uusd > 0:
                lots = min(lots, venue.slice_maximum_uusd // usd)
            return min(size, max(lots, 1))
        elif venue.slice == Slice.LOWER_TIER and unit > 0:
            others = self.margin_owed(account) - market.margin.of(value)
            for cap, _, _, _ in reversed(market.margin.tiers[: market.margin.tier(value)]):
                if self.equity(account) >= others + market.margin.of(cap // unit * unit):
                    return size - cap // unit
        return size

    def bankruptcy_limit(self, account: Account, market: Market) -> int:
        """Price [ticks] at which an account closes with equity 0.

        In one market, the price that leaves equity 0, rounded so that it is not below. In several, the
        same share of every mark (inverse: of what every lot is worth): the move that leaves equity 0.
        """
        k = market.number
        size, cost, v = account.size[k], account.cost[k], market.tick_lot_uusd
        if size == 0:
            return 0
        if market.is_inverse:
            return self.inverse_bankruptcy_limit(account, market)
        if sum(1 for lots in account.size if lots) == 1 and not any(account.pledged):
            price = (
                up(cost - account.wallet, size * v) if size > 0 else (account.wallet - cost) // (-size * v)
            )
            return max(0, price)
        worth, gross = self.equity(account), self.gross(account)
        room = market.mark * min(abs(worth), gross) // gross
        if worth < 0:
            room = -(room + 1)
        return max(0, market.mark - room if size > 0 else market.mark + room)

    def inverse_bankruptcy_limit(self, account: Account, market: Market) -> int:
        """The same in coins a lot: so many can a long pay at the end, and must a short get."""
        k = market.number
        size, now = account.size[k], market.notional(1)
        if sum(1 for lots in account.size if lots) == 1:
            room = account.wallet - account.cost[k]
            coins = room // size if size > 0 else up(-room, -size)
        else:
            worth, gross = self.equity(account), self.gross(account)
            room = now * min(abs(worth), gross) // gross
            if worth < 0:
                room = -(room + 1)
            coins = now + room if size > 0 else now - room
        return market.price_of(coins, at_least=size < 0)

    def limit(self, account: Account, market: Market, bust: int) -> int | None:
        """Worst price [ticks] of a liquidation order by the venue's rule. None: no limit."""
        size, venue = account.size[market.number], market.venue
        if size == 0 or self.rules.no_limit or venue.order_limit == OrderLimit.NONE:
            return None
        if venue.order_limit == OrderLimit.FILLABLE:
            owed = self.margin_owed(account)
            lack = min(max(owed - self.equity(account), 0) * venue.adjustment_ppm // PPM, owed)
            own = market.margin.of(self.notional(account, market))
            money = own * venue.spread_ppm // PPM * lack // owed
            if market.is_inverse:
                coins = money // abs(size)
                now = market.notional(1)
                return market.price_of(now + coins if size > 0 else now - coins, at_least=size < 0)
            ticks = money // (abs(size) * market.tick_lot_uusd)
            return max(1, market.mark - ticks) if size > 0 else market.mark + ticks
        return bust

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

    def close_out(self, account: Account, plan: int, market: Market, filled_uusd: int) -> None:
        """Clearance fee on what the book filled; the fund of the first market pays a deficit.

        An account with something left open waits for its next order.
        """
        venue = market.venue
        fund = self.fund_behind(market)
        due = up(filled_uusd * venue.fee_num, venue.fee_den)
        if account.has_position:
            account.in_round = False
            account.ordered = self.second
            fee = min(due, max(0, self.equity(account)))
            self.transfer(account, fund, fee)
            self.sums.fees_uusd += market.in_usd(fee)
            return
        account.closed = True
        if plan == BACKSTOP:
            self.take_collateral(account, fund, None)
        if account.wallet > 0:
            fee = min(account.wallet, due)
            self.transfer(account, fund, fee)
            self.sums.fees_uusd += market.in_usd(fee)
            if plan == BACKSTOP or venue.rest_to_fund:
                self.sums.forfeited_uusd += market.in_usd(account.wallet)
                self.transfer(account, fund, account.wallet)
        elif account.wallet < 0:
            self.sums.deficit_uusd[market.number] -= market.in_usd(account.wallet)
            self.sums.bankrupt_wallets += 1
            self.take_collateral(account, fund, -account.wallet)
            self.transfer(fund, account, -account.wallet)

    # --- 8, 9: what the book did not take --------------------------------------------------------------

    def absorb_rest(self, market: Market, side: int, rest: list[tuple[Account, int, int, int]]) -> None:
        """To fund or vault as far as it can, then against winners, then to fund or vault all the same.

        ``rest`` is (account, lots, bankruptcy price, plan). Best bankruptcy prices first, equal ones by uid.
        A ranking of winners holds some seconds; who would lose at one price would
        lose at all later ones too, and is not asked again.
        """
        venue = market.venue
        sign = 1 if side == LONG else -1
        for account, left, bust, plan in sorted(rest, key=lambda order: sign * order[2]):
            price = market.mark if venue.takeover == Takeover.VAULT else bust
            if not self.rules.adl or (venue.takeover != Takeover.NONE and plan != DELEVERAGE):
                accepted = self.acceptable(market, side, left, price)
                if accepted > 0:
                    self.take_over(market, account, accepted, price)
                    left -= accepted
            if left > 0:
                self.sums.fired_adl = 1
                ranked, winners = self.ranks.get((market.number, side), (-RANK_S, []))
                age = self.second - ranked
                if age >= RANK_S or (age > 0 and not winners):
                    winners = self.rank_adl(market, side)
                    self.ranks[market.number, side] = (self.second, winners)
                left -= self.deleverage(market, account, left, self.adl_price(market, bust), winners)
            if left > 0 and venue.takeover != Takeover.NONE:
                self.take_over(market, account, left, price)

    def acceptable(self, market: Market, side: int, lots: int, price: int) -> int:
        """Lots that fund or vault can take before the venue's ADL begins: its equity stays above a floor.

        Where the fund may refuse, its inventory stays within its multiple of that equity too.
        """
        if not self.rules.adl:
            return lots
        venue, fund = market.venue, self.fund_behind(market)
        worth, sign, floor_uusd = self.equity(fund), 1 if side == LONG else -1, 0
        if venue.adl_trigger == AdlTrigger.FUND_BELOW_REFERENCE:
            high = max(0, self.fund_high[market.fund_of])
            floor_uusd = max(0, high - max(high * venue.fund_drop_ppm // PPM, venue.fund_drop_uusd))
        elif venue.adl_trigger == AdlTrigger.EQUITY_NEGATIVE:
            before = max(0, self.fund_before[market.fund_of])
            floor_uusd = before - before * venue.vault_loss_ppm // PPM
        if worth <= floor_uusd:
            return 0
        room, unit = lots, market.notional(1)
        if unit > 0 and venue.adl_trigger == AdlTrigger.FUND_REFUSES:
            room = min(room, worth * market.inventory_ppm // PPM // unit - sign * fund.size[market.number])
        loss = sign * (market.money(price) - market.money(market.mark))
        if loss > 0:
            room = min(room, (worth - floor_uusd) // loss)
        return max(0, room)

    def adl_price(self, market: Market, bust: int) -> int:
        """Price [ticks] of a deleveraging trade by the venue's rule."""
        rule, bound = market.venue.adl_price, market.mark * market.venue.price_bound_ppm // PPM
        if rule == AdlPrice.MARK or (
            rule == AdlPrice.BANKRUPTCY_NEAR_MARK and abs(bust - market.mark) > bound
        ):
            return market.mark
        return {AdlPrice.PREVIOUS_MARK: market.previous_mark, AdlPrice.ORACLE: market.index}.get(
            AdlPrice(rule), bust
        )

    def take_over(self, market: Market, account: Account, lots: int, price: int) -> None:
        """The fund takes ``lots`` at the bankruptcy price."""
        k, unit = market.number, market.money(price)
        sign = 1 if account.size[k] > 0 else -1
        self.trade(account, market, -sign * lots, unit, FORCED)
        self.trade(self.fund_behind(market), market, sign * lots, unit, ORDINARY)
        self.sums.takeover[k] += lots
        self.sums.takeover_uusd[k] += market.usd(lots)
        self.minute[k].takeover += lots
        beyond = max(0, sign * (unit - market.money(market.mark)))
        self.sums.deficit_uusd[k] += market.in_usd(beyond * lots)

    def rank_adl(self, market: Market, side: int) -> list[Account]:
        """Winners on the other side in the venue's rank, then by uid; everybody where lots are drawn."""
        k, sign = market.number, 1 if side == LONG else -1
        drawn = market.venue.adl_rank == AdlRank.RANDOM_START
        count = len(self.accounts)
        start = self.rules.draw % 1_000_003 * 7_919 + self.second * 104_729 + k * 1_299_709 + side
        scores: list[tuple[float, int, Account]] = []
        for account in self.accounts:
            eligible = account.role < FUND and not account.in_round and not account.closed
            if not eligible or account.size[k] * sign >= 0:
                continue
            value = account.size[k] * market.money(market.mark)
            profit, worth = value - account.cost[k], self.equity(account)
            if worth > 0 and (profit > 0 or drawn):
                score = (
                    float(count - (account.uid - start) % count)
                    if drawn
                    else self.adl_score(account, market, profit, abs(value), worth)
                )
                if score > 0.0:
                    scores.append((-score, account.uid, account))
        return [account for _, _, account in sorted(scores, key=lambda scored: scored[:2])]

    def adl_score(self, account: Account, market: Market, profit: int, notional: int, worth: int) -> float:
        """A winner's place by the venue's rule, the higher the sooner."""
        rank, long = market.venue.adl_rank, account.size[market.number] > 0
        if market.is_inverse:
            long = not long  # a linear short in what a lot is worth
        entry, owed = max(abs(account.cost[market.number]), 1), self.margin_owed(account)
        collateral = max(account.wallet + self.collateral_value(account), 1)
        if rank == AdlRank.PROFIT_TIMES_MARGIN_RATIO:
            return float(profit) / float(collateral) * (float(owed) / float(worth))
        if rank == AdlRank.LEVERAGED_RETURN:
            return float(profit) / float(entry) * (float(notional) / float(worth))
        if (
            rank == AdlRank.PROFIT_RATIO_OVER_MARGIN_RATIO
        ):  # no chosen leverage is known: return on entry value
            return float(profit) / float(entry) / (float(worth) / float(owed)) if owed > 0 else 0.0
        if rank == AdlRank.PRICE_RATIO_TIMES_LEVERAGE:
            now = entry + profit if long else entry - profit
            ratio = float(now) / float(entry) if long else float(entry) / float(max(now, 1))
            return ratio * (float(notional) / float(worth)) if now > 0 else 0.0
        cost = entry if long else -entry
        now = cost + profit
        gap = float(now) - float(cost - collateral)
        return (float(now) - float(cost)) / abs(float(cost)) * (abs(float(now)) / gap) if now else 0.0

    def deleverage(
        self, market: Market, account: Account, lots: int, price: int, winners: list[Account]
    ) -> int:
        """Close at a price against the first winners; lots closed. Uses up the list."""
        drawn = market.venue.adl_rank == AdlRank.RANDOM_START
        k, unit = market.number, market.money(price)
        sign = 1 if account.size[k] > 0 else -1
        left = lots
        while left > 0 and winners:
            winner = winners[0]
            held = -sign * winner.size[k]
            loses = not drawn and winner.size[k] * unit - winner.cost[k] <= 0
            if held <= 0 or loses or winner.in_round or winner.closed:
                winners.pop(0)
                continue
            part = min(left, held)
            self.trade(account, market, -sign * part, unit, FORCED)
            self.trade(winner, market, sign * part, unit, DELEVERAGED)
            left -= part
            if part == held:
                winners.pop(0)
        done = lots - left
        if done:
            if self.sums.first_adl_step[market.venue_of] < 0:
                self.sums.first_adl_step[market.venue_of] = self.second
            self.sums.adl[k] += done
            self.sums.adl_uusd[k] += market.usd(done)
            self.minute[k].adl += done
        return done

    # --- 10: funding and settlement --------------------------------------------------------------------

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

    def socialise(self, fund: Account) -> None:
        """A fund under water is made whole out of unrealised profits in its markets, in proportion."""
        loss = -self.equity(fund)
        if loss <= 0:
            return
        markets = [m for m in self.markets if self.fund_behind(m) is fund]
        gains: list[tuple[Account, int]] = []
        for account in self.accounts:
            if account.role < FUND and not account.closed:
                gain = sum(
                    account.size[m.number] * m.money(m.mark) - account.cost[m.number]
                    for m in markets
                    if account.size[m.number]
                )
                if gain > 0:
                    gains.append((account, gain))
        total = sum(gain for _, gain in gains)
        if gains:
            self.sums.fired_adl = 1
        for account, gain in gains:
            part = min(loss, total) * gain // total
            self.transfer(account, fund, part)
            self.sums.socialised_uusd += self.markets[self.venues[fund.venue].first].in_usd(part)

    # --- 12: the record --------------------------------------------------------------------------------

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
