"""Who owns what, in plain Python: every change of money and contracts, and what it adds up to.

Part of the twin (`reference/engine.py`); as `deleverage/engine/ledger.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from deleverage.engine.setup import MarketWorld
from deleverage.venues.rules import TierTable
from reference.market import (
    ARBITRAGEUR,
    DIP_BUYER,
    EXIT_LONG,
    EXIT_SHORT,
    FUND,
    LONG,
    MAKER,
    NEWCOMER,
    PROFIT_TAKER,
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
MINUTE_S = 60


class Ledger:
    """The market at rest, and its books of account."""

    # Known once the first marks are: the twin sets them.
    deposits: list[int]  # by venue, spot last
    fund_before: list[int]
    fund_high: list[int]

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
        self.minute = self.minutes[0]

    def is_halted(self, venue: Venue) -> bool:
        """True while a venue is out, from the first second on."""
        return self.second > 0 and bool(
            self.rules.outage and venue.halt_from <= self.second < venue.halt_until
        )

    def of_role(self, *roles: int) -> list[Account]:
        """Accounts of some roles, in order of uid."""
        return [account for account in self.accounts if account.role in roles]

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

    def collateral_value(self, account: Account) -> int:
        """What pledged assets count as margin [uusd]: after haircuts, each rounded down."""
        return sum(
            lots * asset.price * (asset.haircut_den - asset.haircut_num) // asset.haircut_den
            for lots, asset in zip(account.pledged, self.assets, strict=True)
        )

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
        if self.is_halted(self.venues[account.venue]):
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
