"""What the book did not take, in plain Python: fund or vault, winners, a loss that is shared.

Part of the twin (`reference/engine.py`); as `deleverage/engine/waterfall.py`.
"""

from __future__ import annotations

from deleverage.venues.rules import AdlPrice, AdlRank, AdlTrigger, Takeover
from reference.ledger import DELEVERAGED, FORCED, ORDINARY
from reference.market import FUND, LONG, Account, Market
from reference.orders import Orders

ORDER, BACKSTOP, DELEVERAGE = range(3)
PPM = 1_000_000
RANK_S = 10


class Waterfall(Orders):
    """Phases 8 and 9 of a second, and settlement."""

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

    def socialise(self, fund: Account) -> None:
        """A fund under water is made whole out of unrealised profits in its markets, in proportion."""
        loss = -self.equity(fund)
        if loss <= 0 or self.is_halted(self.venues[fund.venue]):
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
