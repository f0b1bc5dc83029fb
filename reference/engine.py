"""The readable twin: the same second of the same market as the engine's kernels, in plain Python.

It is the specification. Everybody is looked at in every round, winners are fully sorted, every sum is
added up again: slow, and short enough to read in one sitting. Whatever the kernels do faster must come
out the same, to the micro-dollar and to the last bit of every price. The tests draw markets and compare
after every second.

One second (`Twin.step`), in the order in which it is written below:

     1  news moves the fair value
     2  displacement decays, makers re-quote from the volatility of the seconds before
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
from deleverage.venues.rules import TierTable
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
from reference.market import (
    ARBITRAGEUR,
    DIP_BUYER,
    EXIT_LONG,
    EXIT_SHORT,
    FUND,
    LIQUIDATE,
    LONG,
    MAKER,
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
    plain,
    read_accounts,
    read_markets,
    up,
)

ORDINARY, FORCED, DELEVERAGED, TRANSFER = range(4)
PPM = 1_000_000
MINUTE_S = 60
UNBOUNDED = 1 << 61


class Twin:
    """A market that steps second by second.

    Parameters
    ----------
    world : where it starts; only read.
    tables : margin tiers, one table a market.
    """

    def __init__(self, world: MarketWorld, tables: Sequence[TierTable]) -> None:
        self.rules = plain(Rules, world.params)
        self.markets = read_markets(world, tables, self.rules)
        self.accounts = read_accounts(world)
        self.named = self.of_role(MAKER, ARBITRAGEUR, PROFIT_TAKER, DIP_BUYER, NEWCOMER)
        self.makers = self.of_role(MAKER)
        self.dip_buyers = self.of_role(DIP_BUYER)
        self.newcomer = self.of_role(NEWCOMER)[0]
        self.funds = self.of_role(FUND)
        self.vehicles = self.of_role(EXIT_LONG) + self.of_role(EXIT_SHORT)
        self.arbitrageurs = [
            Arbitrageur(account, lots, 0, [[0] * self.rules.hedge_latency for _ in self.markets])
            for account, lots in zip(self.of_role(ARBITRAGEUR), world.spot_lots.tolist(), strict=True)
        ]
        self.pool_cash = 0
        self.premium_count = 0
        self.dead_makers = 0
        self.fired_stops: list[Account] = []
        self.waiting_stops = [
            (account, k)
            for account in self.accounts
            for k in range(len(self.markets))
            if account.stop_ticks > 0 and account.size[k] != 0
        ]
        self.sums = Sums(len(self.markets))
        self.minutes = [
            [Minute() for _ in self.markets] for _ in range(max(1, up(self.rules.steps, MINUTE_S)))
        ]
        self.second = 0
        for market in self.markets:
            fair = market.start_fair_ticks
            self.refresh_mid(market, fair)
            market.basis_window = [market.mid - market.index] * self.rules.mark_window
            market.last_mid = self.price(market, fair)
            market.last_fair = fair
            self.sums.start_mid[market.number] = self.sums.trough[market.number] = market.mid
            self.sums.trough_step[market.number] = 0
            self.sums.interest_before[market.number] = self.open_interest(market)
        self.set_marks()
        self.deposits = self.money_held()

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
        for market, value in zip(self.markets, fair, strict=True):  # 3
            self.trade_own_orders(market, value)
        self.fired_stops = []
        self.touch_range()
        status = self.cascade(fair) if self.is_in_range() else Status.OUT_OF_RANGE  # 4–9
        if status.is_failure:
            return status
        for market in self.markets:
            market.basis_window[self.second % rules.mark_window] = market.mid - market.index
            if market.index > 0:
                market.premium_sum += (market.mid - market.index) * PPB // market.index
        self.premium_count += 1
        self.fire_stops()
        if (rules.start_s + self.second) % rules.funding_interval_s == 0:  # 10
            self.pay_funding()
        settlement = self.second % MINUTE_S == 0 or self.second == rules.steps
        if settlement and rules.adl and rules.socialise:
            for fund in self.funds:
                self.socialise(fund)
        if not self.is_balanced():  # 11
            return Status.NOT_CONSERVED
        for market, value in zip(self.markets, fair, strict=True):  # 12
            self.learn_volatility(market, value)
        self.record_minute(settlement)
        return Status.OK

    def cascade(self, fair: Sequence[int]) -> Status:
        """Liquidate in rounds until nobody is liquidatable."""
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
        """No price at zero or beyond fifty times its start: the run ends there."""
        return all(
            m.mid > 0 and m.index > 0 and m.mid <= 50 * self.sums.start_mid[m.number] for m in self.markets
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

    def transfer(self, payer: Account, payee: Account, amount: int) -> None:
        """Money from one wallet to another."""
        payer.wallet -= amount
        payee.wallet += amount

    def fund_behind(self, market: Market) -> Account:
        """The insurance fund of a market."""
        return self.funds[market.fund_of]

    def equity(self, account: Account) -> int:
        """Wallet and unrealised profit at the marks [uusd]."""
        return account.wallet + sum(
            account.size[m.number] * m.mark * m.tick_lot_uusd - account.cost[m.number]
            for m in self.markets
            if account.size[m.number]
        )

    def notional(self, account: Account, market: Market) -> int:
        """|q|·m·v [uusd]."""
        return abs(account.size[market.number]) * market.mark * market.tick_lot_uusd

    def gross(self, account: Account) -> int:
        """Notional over all markets [uusd]."""
        return sum(self.notional(account, market) for market in self.markets)

    def margin_owed(self, account: Account) -> int:
        """Maintenance margin over all markets [uusd]."""
        return sum(m.margin.of(self.notional(account, m)) for m in self.markets if account.size[m.number])

    def is_liquidatable(self, account: Account) -> bool:
        """Health < 0. Funds, exit vehicles and the crowd of newcomers never are, nor what was left alone."""
        if account.role >= FUND or account.role == NEWCOMER or account.closed or not account.has_position:
            return False
        return self.equity(account) < self.margin_owed(account)

    def open_interest(self, market: Market) -> int:
        """Contracts, one side counted [lots]."""
        return sum(max(0, account.size[market.number]) for account in self.accounts)

    def money_held(self) -> int:
        """Σ (wallet − Σ cost) of everybody, spot included: the deposits, always [uusd]."""
        accounts = sum(account.wallet - sum(account.cost) for account in self.accounts)
        return accounts + self.pool_cash + sum(a.spot_cash for a in self.arbitrageurs)

    def is_balanced(self) -> bool:
        """Deposits are all there, each contract has two sides, and each closed once."""
        sums = self.sums
        balanced = self.money_held() == self.deposits
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

    def spot_price(self, market: Market, fair: int) -> float:
        """Fair value less what arbitrage has sold into the spot book [ticks]."""
        return float(fair) * exp_neg(market.spot_u)

    def anchor(self, market: Market, fair: int) -> float:
        """Price about which the perpetual's book stands [ticks]."""
        return self.spot_price(market, fair) * market.basis

    def price(self, market: Market, fair: int) -> float:
        """The perpetual's mid before it is rounded [ticks]."""
        return self.anchor(market, fair) * exp_neg(market.u)

    def refresh_mid(self, market: Market, fair: int) -> None:
        """Index and mid, to the nearest tick; the lowest mid is remembered."""
        market.index = int(self.spot_price(market, fair) + 0.5)
        market.mid = int(self.price(market, fair) + 0.5)
        if market.mid < self.sums.trough[market.number]:
            self.sums.trough[market.number] = market.mid
            self.sums.trough_step[market.number] = self.second

    def set_marks(self) -> None:
        """Phase 4. Rounds of one second see the same moving average and a new contract price."""
        rules = self.rules
        left = rules.funding_interval_s - (rules.start_s + self.second) % rules.funding_interval_s
        for m in self.markets:
            mean_basis = sum(m.basis_window) // rules.mark_window
            m.mark = (
                m.mid
                if rules.trigger_last
                else median_mark(m.index, mean_basis, m.mid, m.funding_ppb, left, rules.funding_interval_s)
            )

    # --- 2: the book ----------------------------------------------------------------------------------

    def presence(self) -> float:
        """Share of displayed depth whose owner is alive."""
        if not self.makers:
            return 1.0
        return 1.0 - self.rules.maker_depth_share * float(self.dead_makers) / float(len(self.makers))

    def book(self, market: Market) -> tuple[float, float, float]:
        """Density below and above the price, and slope of the latent depth revealed so far."""
        alive = self.presence()
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
        living = [maker for maker in self.makers if not maker.closed]
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
        market.u = market.u - market.u * rules.resilience
        market.spot_u = market.spot_u - market.spot_u * rules.spot_resilience
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

    def learn_volatility(self, market: Market, fair: int) -> None:
        """The second's squared returns, and who walked the book, enter the makers' averages."""
        mid = self.price(market, fair)
        price_return = (mid - market.last_mid) / market.last_mid
        news_return = (float(fair) - float(market.last_fair)) / float(market.last_fair)
        weight = self.rules.volatility_weight
        market.forced_flow += (float(market.forced_lots) - market.forced_flow) * weight
        market.other_flow += (float(market.other_lots) - market.other_flow) * weight
        market.forced_lots = market.other_lots = 0
        market.price_variance += (price_return * price_return - market.price_variance) * weight
        market.news_variance += (news_return * news_return - market.news_variance) * weight
        market.last_mid = mid
        market.last_fair = fair

    # --- trading against the book ---------------------------------------------------------------------

    def walk(self, market: Market, fair: int, lots: int) -> tuple[int, int]:
        """Sell ``lots`` (< 0: buy) into the book; what a seller gets and a buyer pays for a lot [uusd].

        Both are the average price, half the spread included, rounded against whoever trades.
        """
        bid, ask, latent = self.book(market)
        before = market.u
        mean = average_price(before, float(lots), bid, ask, latent)
        after = displacement(absorbed(before, bid, ask, latent) + float(lots), bid, ask, latent)
        if self.rules.double_impact:
            after = after + (after - before)
        market.u = after
        spread = self.half_spread(market)
        factor = 1.0 - spread if lots > 0 else 1.0 + spread if lots < 0 else 1.0
        value = self.anchor(market, fair) * mean * factor * float(market.tick_lot_uusd)
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
            if account.closed or account.in_round:
                continue
            part = min(total * account.fill_share_ppm // PPM, self.capacity(account, market, lots > 0), left)
            if part > 0:
                self.trade(account, market, sign * part, unit_uusd, ORDINARY)
                left -= part
        if left > 0:
            self.trade(self.newcomer, market, sign * left, unit_uusd, ORDINARY)

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
        alive = [a.account for a in self.arbitrageurs if not a.account.closed]
        if beyond <= 0.0 or not alive:
            return []
        density = market.bid_density if gap > 0.0 else market.ask_density
        each = floor(min(beyond * density, float(market.arbitrage_cap_lots))) // len(alive)
        if gap > 0.0:  # short positions are bought back, no further
            return [(a, min(each, max(0, -a.size[k]))) for a in alive]
        return [(a, -min(each, max(0, market.arbitrage_limit_lots + a.size[k]))) for a in alive]

    def dip_orders(self, market: Market) -> list[tuple[Account, int]]:
        """Buy in proportion to the displacement beyond a threshold, up to a leverage."""
        beyond = market.u - self.rules.dip_threshold
        alive = [account for account in self.dip_buyers if not account.closed]
        unit = market.mark * market.tick_lot_uusd
        if beyond <= 0.0 or not alive or unit == 0:
            return []
        each = floor(beyond * market.dip_lots / float(len(alive)))
        room = [self.equity(a) * self.rules.dip_leverage - self.gross(a) for a in alive]
        return [(a, min(each, max(0, money // unit))) for a, money in zip(alive, room, strict=True)]

    def exit_orders(self, market: Market) -> list[tuple[Account, int]]:
        """With liquidations off: what the vehicles were given is sold (bought back) evenly, to the lot."""
        orders = []
        for side, sign in ((LONG, -1), (SHORT, 1)):
            vehicle = self.vehicles[side]
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

    def hedge_spot(self, market: Market, fair: int) -> None:
        """Arbitrageurs bring spot to the other side of their perpetual; spot moves, and the index.

        Late and within capacity: hedged is what was open then and is still open.
        """
        k, cap = market.number, max(1, market.arbitrage_cap_lots // max(1, len(self.arbitrageurs)))
        slot = self.second % self.rules.hedge_latency
        parts = []
        for a in self.arbitrageurs:
            gap = a.account.size[k] + a.spot_lots[k]
            seen, a.seen_gaps[k][slot] = a.seen_gaps[k][slot], gap
            same_side = gap * seen > 0
            lots = min(abs(gap), abs(seen), cap) if same_side else 0
            parts.append(-lots if gap > 0 else lots)
        if not any(parts):
            return
        sold = float(-sum(parts))
        bid, ask = market.spot_bid_density, market.spot_ask_density
        mean = average_price(market.spot_u, sold, bid, ask, 0.0)
        market.spot_u = displacement(absorbed(market.spot_u, bid, ask, 0.0) + sold, bid, ask, 0.0)
        value = float(fair) * mean * float(market.tick_lot_uusd)
        for a, lots in zip(self.arbitrageurs, parts, strict=True):
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
        self.count_forced(hit)
        # Two-phase: every limit is set before the first fill.
        limits = [[self.limit(account, market) for market in self.markets] for account in hit]
        first_market = [next(m for m in self.markets if a.size[m.number]) for a in hit]
        filled_uusd = [0] * len(hit)
        for market, value in zip(self.markets, fair, strict=True):
            k = market.number
            for side, sign in ((LONG, 1), (SHORT, -1)):
                batch = [i for i, account in enumerate(hit) if account.size[k] * sign > 0]
                if not batch:
                    continue
                orders = [(hit[i], abs(hit[i].size[k]), limits[i][k]) for i in batch]
                filled = self.fill_batch(market, value, side, orders)
                unit = market.mark * market.tick_lot_uusd
                for i, lots in zip(batch, filled, strict=True):
                    filled_uusd[i] += lots * unit
                self.sums.book[k] += sum(filled)
                self.sums.book_uusd[k] += sum(filled) * unit
                self.minute[k].book += sum(filled)
                if sum(filled) < sum(wanted for _, wanted, _ in orders):
                    self.absorb_rest(market, side, [(account, limit) for account, _, limit in orders])
        for account, market, amount in zip(hit, first_market, filled_uusd, strict=True):
            self.close_out(account, market, amount)

    def leave_alone(self, hit: list[Account]) -> None:
        """Liquidations off: the position goes to a vehicle that sells evenly, or stays open for good."""
        for account in hit:
            account.closed = True
            if self.rules.liquidations != SELL_EVENLY:
                continue
            for market in self.markets:
                size = account.size[market.number]
                if size:
                    side, unit = LONG if size > 0 else SHORT, market.mark * market.tick_lot_uusd
                    self.trade(account, market, -size, unit, TRANSFER)
                    self.trade(self.vehicles[side], market, size, unit, TRANSFER)
                    market.exit_assigned[side] += abs(size)

    def count_forced(self, hit: list[Account]) -> None:
        """Who is about to be closed; a liquidated maker's quotes leave before anything trades."""
        sums = self.sums
        if sums.first_liquidation_step < 0:
            sums.first_liquidation_step = self.second
        for account in hit:
            if account.role == MAKER:
                self.dead_makers += 1
                sums.makers_liquidated += 1
            for market in self.markets:
                k, size = market.number, account.size[market.number]
                if size:
                    side, worth = LONG if size > 0 else SHORT, self.notional(account, market)
                    sums.accounts_forced[k] += 1
                    sums.forced_uusd[side][k] += worth
                    self.minute[k].liquidated[side] += abs(size)
                    self.minute[k].liquidated_uusd[side] += worth

    def limit(self, account: Account, market: Market) -> int | None:
        """Worst price [ticks] of a liquidation order: the bankruptcy price. None: no limit.

        In one market, the price that leaves equity 0, rounded so that it is not below. In several, the
        same share of every mark: the move that leaves equity 0.
        """
        k = market.number
        size, cost, v = account.size[k], account.cost[k], market.tick_lot_uusd
        if size == 0 or self.rules.no_limit:
            return None
        if sum(1 for lots in account.size if lots) == 1:
            price = (
                up(cost - account.wallet, size * v) if size > 0 else (account.wallet - cost) // (-size * v)
            )
            return max(0, price)
        worth, gross = self.equity(account), self.gross(account)
        room = market.mark * min(abs(worth), gross) // gross
        if worth < 0:
            room = -(room + 1)
        return max(0, market.mark - room if size > 0 else market.mark + room)

    def fillable(self, market: Market, fair: int, side: int, limit: int | None) -> int:
        """Lots that can trade before the price, after half the spread, passes the limit."""
        if limit is None or (side == LONG and limit == 0):
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
        if self.rules.no_limit:
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
                    if room > 0:
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
        if not self.rules.no_limit:
            # The average cannot be beyond the worst limit that filled, whatever the rounding.
            used = [limit or 0 for (_, _, limit), part in zip(orders, filled, strict=True) if part]
            bound = (max(used) if side == LONG else min(used)) * market.tick_lot_uusd
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

    def close_out(self, account: Account, market: Market, filled_uusd: int) -> None:
        """Clearance fee on what the book filled; the fund of the first market pays a deficit."""
        account.closed = True
        fund = self.fund_behind(market)
        if account.wallet > 0:
            fee = min(account.wallet, up(filled_uusd * self.rules.fee_num, self.rules.fee_den))
            self.transfer(account, fund, fee)
            self.sums.fees_uusd += fee
        elif account.wallet < 0:
            self.sums.deficit_uusd[market.number] -= account.wallet
            self.sums.bankrupt_wallets += 1
            self.transfer(fund, account, -account.wallet)

    # --- 8, 9: what the book did not take --------------------------------------------------------------

    def absorb_rest(self, market: Market, side: int, rest: list[tuple[Account, int | None]]) -> None:
        """To the fund as far as it can, then against winners, then to the fund all the same.

        Best bankruptcy prices first, equal ones by uid. Winners are ranked once, when the first of them is
        needed; who would lose at one price would lose at all later ones too, and is not asked again.
        """
        k = market.number
        winners: list[Account] | None = None
        sign = 1 if side == LONG else -1
        for account, limit in sorted(rest, key=lambda pair: sign * (pair[1] or 0)):
            left = abs(account.size[k])
            if left == 0:
                continue
            price = limit or 0
            accepted = self.acceptable(market, side, left, price)
            if accepted > 0:
                self.take_over(market, account, accepted, price)
                left -= accepted
            if left > 0:
                self.sums.fired_adl = 1
                if winners is None:
                    winners = self.rank_adl(market, side)
                left -= self.deleverage(market, account, left, price, winners)
            if left > 0:
                self.take_over(market, account, left, price)

    def acceptable(self, market: Market, side: int, lots: int, price: int) -> int:
        """Lots that the fund can take with equity ≥ 0 and inventory within its multiple of that equity."""
        if not self.rules.adl:
            return lots
        fund = self.fund_behind(market)
        worth, sign = self.equity(fund), 1 if side == LONG else -1
        if worth <= 0:
            return 0
        room, unit = lots, market.mark * market.tick_lot_uusd
        if unit > 0:
            room = min(room, worth * market.inventory_ppm // PPM // unit - sign * fund.size[market.number])
        loss_ticks = sign * (price - market.mark)
        if loss_ticks > 0:
            room = min(room, worth // (loss_ticks * market.tick_lot_uusd))
        return max(0, room)

    def take_over(self, market: Market, account: Account, lots: int, price: int) -> None:
        """The fund takes ``lots`` at the bankruptcy price."""
        k, v = market.number, market.tick_lot_uusd
        sign = 1 if account.size[k] > 0 else -1
        self.trade(account, market, -sign * lots, price * v, FORCED)
        self.trade(self.fund_behind(market), market, sign * lots, price * v, ORDINARY)
        self.sums.takeover[k] += lots
        self.sums.takeover_uusd[k] += lots * market.mark * v
        self.minute[k].takeover += lots
        self.sums.deficit_uusd[k] += max(0, sign * (price - market.mark)) * v * lots

    def rank_adl(self, market: Market, side: int) -> list[Account]:
        """Winners on the other side, by unrealised profit ÷ collateral × margin ratio, then by uid."""
        k, sign = market.number, 1 if side == LONG else -1
        scores: list[tuple[float, int, Account]] = []
        for account in self.accounts:
            eligible = account.role < FUND and not account.in_round and not account.closed
            if not eligible or account.size[k] * sign >= 0:
                continue
            profit = account.size[k] * market.mark * market.tick_lot_uusd - account.cost[k]
            worth = self.equity(account)
            if profit > 0 and worth > 0:
                margin_ratio = float(self.margin_owed(account)) / float(worth)
                score = float(profit) / float(max(account.wallet, 1)) * margin_ratio
                if score > 0.0:
                    scores.append((-score, account.uid, account))
        return [account for _, _, account in sorted(scores, key=lambda scored: scored[:2])]

    def deleverage(
        self, market: Market, account: Account, lots: int, price: int, winners: list[Account]
    ) -> int:
        """Close at the bankruptcy price against the first winners; lots closed. Uses up the list."""
        k, unit = market.number, price * market.tick_lot_uusd
        sign = 1 if account.size[k] > 0 else -1
        left = lots
        while left > 0 and winners:
            winner = winners[0]
            held = -sign * winner.size[k]
            if held <= 0 or winner.size[k] * unit - winner.cost[k] <= 0:
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
            if self.sums.first_adl_step < 0:
                self.sums.first_adl_step = self.second
            self.sums.adl[k] += done
            self.sums.adl_uusd[k] += done * market.mark * market.tick_lot_uusd
            self.minute[k].adl += done
        return done

    # --- 10: funding and settlement --------------------------------------------------------------------

    def pay_funding(self) -> None:
        """q·m·v·F from longs to shorts (F > 0); owed is rounded up, the fund keeps the difference."""
        rules = self.rules
        for market in self.markets:
            premium = market.premium_sum // max(self.premium_count, 1)
            rate = funding_rate_ppb(
                premium, rules.interest_ppb, rules.clamp_ppb, rules.funding_interval_s // 3600
            )
            market.funding_ppb = rate
            market.premium_sum = 0
            fund = self.fund_behind(market)
            for account in self.accounts:
                value = account.size[market.number] * market.mark * market.tick_lot_uusd
                self.transfer(account, fund, up(value * rate, PPB))
        self.premium_count = 0
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
                    account.size[m.number] * m.mark * m.tick_lot_uusd - account.cost[m.number]
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
            self.sums.socialised_uusd += part

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
        alive = self.presence()
        for market, bar in zip(self.markets, self.minute, strict=True):
            bar.close, bar.mark, bar.index = market.mid, market.mark, market.index
            bar.bid_share = market.bid_share * alive
            bar.ask_share = market.ask_share * alive
            bar.spread = 2.0 * self.half_spread(market)
            if settlement:
                bar.open_interest = self.open_interest(market)
                bar.fund_uusd = self.equity(self.fund_behind(market))
