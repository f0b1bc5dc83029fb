"""A round of liquidations, in plain Python: who is closed, by how much, at which limit.

Part of the twin (`reference/engine.py`); as `deleverage/engine/liquidate.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from deleverage.venues.rules import AdlTrigger, OrderLimit, Slice, Takeover
from reference.ledger import TRANSFER
from reference.market import LIQUIDATE, LONG, MAKER, SELL_EVENLY, SHORT, Account, Market, up
from reference.waterfall import BACKSTOP, DELEVERAGE, ORDER, Waterfall

PPM = 1_000_000


class Liquidation(Waterfall):
    """Phases 6 and 7 of a second."""

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
        dues = [
            up(amount * market.venue.fee_num, market.venue.fee_den)
            for amount, market in zip(filled_uusd, first_market, strict=True)
        ]
        self.cover_closed(hit, dues)
        for account, before in zip(hit, held, strict=True):
            one_a_second = self.venues[account.venue].slice == Slice.SHARE_A_STEP
            account.waits = one_a_second or sum(map(abs, account.size)) == before
        for account, plan, market, amount in zip(hit, plans, first_market, dues, strict=True):
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

    def close_out(self, account: Account, plan: int, market: Market, due: int) -> None:
        """The clearance fee ``due`` on what the book filled; the fund of the first market pays a deficit.

        An account with something left open waits for its next order.
        """
        venue = market.venue
        fund = self.fund_behind(market)
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
