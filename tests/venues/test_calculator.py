"""Is the calculator right: against printed examples, against the engine's kernels, and tick by tick?"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deleverage.errors import InputError, RulesError, TwinMismatch
from deleverage.venues.binance import VERSIONS as BINANCE
from deleverage.venues.calculator import lines
from deleverage.venues.calculator.assess import Assessment, assess, with_fee
from deleverage.venues.calculator.position import MarginMode, Position, Side, coin_of, contract_of, exact
from deleverage.venues.margin import health_single, tiers_record
from deleverage.venues.rules import Contract, Fees, Maintenance, VenueRules
from tests.venues import houses
from tests.venues.houses import NO_END, house, tiers


def position(symbol: str, side: str, entry: str, size: str, **given: Any) -> Position:
    """A position in decimals; looked at from its entry."""
    numbers = {
        name: value if isinstance(value, MarginMode | bool) else exact(value, name)
        for name, value in given.items()
    }
    price = exact(entry, "entry")
    return Position(
        symbol,
        Side(side),
        price,
        exact(size, "size"),
        **{"mark": price, **numbers},  # type: ignore[arg-type]
    )


def near(found: Fraction | None, printed: str, absolute: str = "0", relative: str = "0") -> bool:
    """True when a figure is the printed one within the tolerance of the print."""
    assert found is not None
    allowed = Fraction(absolute) + Fraction(relative) * abs(Fraction(printed))
    return abs(found - Fraction(printed)) <= allowed


# --- the venues' own examples -------------------------------------------------------------------------

# Tiers of the years of the prints; a maintenance amount of 135,365 is what they add up to in tier 6.
ETH_2021 = tiers(
    "ETHUSDT",
    (10_000, "0.005", 100),
    (100_000, "0.0065", 75),
    (500_000, "0.01", 50),
    (1_000_000, "0.02", 25),
    (2_000_000, "0.05", 10),
    (5_000_000, "0.1", 5),
    (10_000_000, "0.125", 4),
)


def test_binance_faq_isolated_in_the_tier_of_the_liquidation_price() -> None:
    asked = position("ETHUSDT", "long", "1456.84", "3683.979", margin_usd="1535443.01")
    found = assess(house("faq", ETH_2021), asked)
    assert near(found.liquidation_price, "1114.78", "0.006")
    assert (found.tier, found.liquidation_tier) == (7, 6)  # the deduction of tier 7 would be off by 3 %


def test_binance_faq_other_market_of_a_cross_account_is_part_of_the_wallet() -> None:
    # UPNL of ETH less its maintenance margin, as the print has them
    rest = exact("3683.979", "q") * (exact("1335.18", "mark") - exact("1456.84", "entry"))
    rest -= exact("3683.979", "q") * exact("1335.18", "mark") / 10 - 135_365
    table = tiers(
        "BTCUSDT",
        (50_000, "0.004", 125),
        (250_000, "0.005", 100),
        (1_000_000, "0.01", 50),
        (7_500_000, "0.025", 20),
        (20_000_000, "0.05", 10),
    )
    wallet = exact("1535443.01", "wallet") + rest
    asked = position("BTCUSDT", "long", "32481.98", "109.488", mode=MarginMode.CROSS, wallet_usd=wallet)
    found = assess(house("faq", table), asked)
    assert table.deductions_usd[3] == 16_300
    assert near(found.liquidation_price, "26316.89", "0.006")
    assert found.leverage == 20  # none was asked for: the largest of that size


@pytest.mark.parametrize(
    ("side", "leverage", "entry", "price"),
    [
        ("long", "50", "20000", "19700"),
        ("long", "1", "10", "0.1"),
        ("long", "10", "10", "9.1"),
        ("short", "10", "10", "10.9"),
        ("short", "3", "10", "13.233333"),
    ],
)
def test_bybit_linear_isolated_owes_the_margin_of_the_entry(
    side: str, leverage: str, entry: str, price: str
) -> None:
    rate = "0.005" if leverage == "50" else "0.01"
    rules = house("print", tiers("X", (NO_END, rate, 100)), maintenance=Maintenance(isolated_at_entry=True))
    found = assess(rules, position("X", side, entry, "1", leverage=leverage))
    assert near(found.liquidation_price, price, "0.00001")


def test_added_margin_moves_both_prices_by_its_amount_a_coin() -> None:
    asked = position("BTC", "long", "10000", "2", leverage="20")
    rules = replace(houses.ENTRY, tiers={"BTC": houses.ENTRY.tiers["BTCUSDT"]})
    plain, more = (assess(rules, replace(asked, extra_margin_usd=Fraction(extra))) for extra in (0, 1_000))
    assert plain.liquidation_price is not None and plain.bankruptcy_price is not None
    assert more.liquidation_price == plain.liquidation_price - 500
    assert more.bankruptcy_price == plain.bankruptcy_price - 500


@pytest.mark.parametrize(
    ("side", "leverage", "entry", "price"),
    [
        ("short", "3", "10", "13.193482419684678"),
        ("long", "3", "10", "6.738090425173506"),
        ("long", "5", "10", "8.085708510208207"),
        ("short", "5", "8", "9.499307342172967"),
    ],
)
def test_okx_and_gate_owe_the_fee_of_closing(side: str, leverage: str, entry: str, price: str) -> None:
    rules = house("print", tiers("X", (NO_END, "0.01", 100)), maintenance=Maintenance(with_taker_fee=True))
    found = assess(rules, position("X", side, entry, "1", leverage=leverage))
    assert near(found.liquidation_price, price, relative="0.000001")


@pytest.mark.parametrize(
    ("side", "entry", "size", "margin", "largest", "price"),
    [
        ("long", "67033", "0.00121", "20.251817", 50, "50804.00091827"),
        ("short", "67400", "0.00031", "20.887308", 50, "133443.97317151"),
        ("long", "2521.9", "0.0237", "19.902091", 50, "1699.14071943"),
        ("short", "178.29", "0.11", "19.605036", 20, "347.82205322"),
        ("long", "0.11586", "437", "25.29769", 20, "0.05945697"),
        ("long", "146.82", "0.16", "23.482979", 20, "0.05269872"),
    ],
)
def test_hyperliquid_live_positions(
    side: str, entry: str, size: str, margin: str, largest: int, price: str
) -> None:
    rules = house("print", tiers("X", (NO_END, Fraction(1, 2 * largest), largest)))
    found = assess(rules, position("X", side, entry, size, margin_usd=margin))
    assert near(found.liquidation_price, price, relative="0.0001")


def test_bybit_inverse_of_both_texts() -> None:
    table = tiers("BTCUSD", (10**6, "0.005", 100))
    text_2024 = house(
        "print", table, contract=Contract.INVERSE, maintenance=Maintenance(isolated_at_entry=True)
    )
    short = assess(text_2024, position("BTCUSD", "short", "50000", "1.2", leverage="10"))
    assert near(short.liquidation_price, "55248.62", "0.006")
    assert (short.initial_margin, short.settlement) == (Fraction(12, 100), "BTC")

    text_2026 = replace(text_2024, maintenance=Maintenance(extra_pays_fee=True))
    asked = position("BTCUSD", "long", "50000", "1.2", leverage="10", extra_margin_usd="3000")
    long = assess(text_2026, asked)
    # Q(1 + r) ÷ [Q/EP + Q/EP/L + extra ÷ (1 + taker)], extra of 0.06 coins
    below = Fraction("1.2") + Fraction("0.12") + Fraction("0.06") / (1 + Fraction("0.0006"))
    assert long.liquidation_price == 60_000 * Fraction("1.005") / below


def test_bybit_inverse_bankruptcy_price() -> None:
    rules = house("print", tiers("BTCUSD", (10**6, "0.005", 100)), contract=Contract.INVERSE)
    found = assess(rules, position("BTCUSD", "long", "7890.08", "1", leverage="50"))
    assert near(found.bankruptcy_price, "7735.372549", "0.000001")


def test_what_really_ends_a_hundredfold_position_is_not_two_percent() -> None:
    asked = position("BTC", "long", "117000", "0.1", leverage="100")
    moves = {}
    for rules in houses.ALL:
        largest = rules.tier_table(contract_of(rules, "BTC") or "").tiers[0].max_leverage
        if largest >= 100:
            found = assess(rules, asked)
            moves[rules.venue] = found.move(found.liquidation_price)
    assert moves["plain"] == Fraction(99, 100) / (1 - Fraction(4, 1000)) - 1  # −0.602 %
    assert moves["entry"] == Fraction(-5, 1000)
    assert moves["fee"] == Fraction(99, 100) / (1 - Fraction(46, 10_000)) - 1
    assert moves["coin"] == (1 + Fraction(4, 1000)) / (1 + Fraction(1, 100)) - 1
    assert all(move is not None and abs(move) < Fraction(7, 1000) for move in moves.values())


def test_binance_of_the_day_before_the_crash() -> None:
    found = assess(BINANCE[0], position("BTCUSDT", "long", "117000", "0.1", leverage="100"))
    assert found.liquidation_price == Fraction(9652500, 83)
    assert found.maintenance_margin == Fraction("46.8") and found.initial_margin == 117
    assert found.max_leverage == 150


# --- properties ---------------------------------------------------------------------------------------


@st.composite
def rule_sets(draw: st.DrawFn) -> VenueRules:
    """Any table of up to six tiers, both contracts, every way of reckoning maintenance margin."""
    count = draw(st.integers(1, 6))
    unit = draw(st.sampled_from((1000, 10_000, 30)))
    inverse = draw(st.booleans())
    largest = 5_000 if inverse else 10**8
    caps = sorted(draw(st.sets(st.integers(1, largest), min_size=count, max_size=count)))
    rates = sorted(
        draw(
            st.sets(st.integers(1, unit // 2), min_size=min(count, unit // 2), max_size=min(count, unit // 2))
        )
    )
    rows = zip([*caps[:-1], NO_END], rates, strict=True)
    return house(
        "drawn",
        tiers("BTCUSD", *((cap, Fraction(rate, unit), max(1, unit // (2 * rate))) for cap, rate in rows)),
        contract=Contract.INVERSE if inverse else Contract.LINEAR,
        maintenance=Maintenance(*draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))),
        fees=Fees(Fraction(draw(st.integers(0, 10)), 10_000), Fraction(0)),
    )


@st.composite
def asked_of(draw: st.DrawFn, rules: VenueRules) -> Position:
    """A position that the rule set allows; isolated with or without more margin, or cross."""
    entry = Fraction(draw(st.integers(1, 10**7)), draw(st.sampled_from((1, 10, 1000))))
    notional = Fraction(draw(st.integers(1, 10**9)), draw(st.sampled_from((1, 7, 100))))
    size = notional / entry
    table = rules.tiers["BTCUSD"]
    value = notional / entry if rules.contract is Contract.INVERSE else notional
    allowed = table.tiers[table.number(value)].max_leverage
    leverage = Fraction(draw(st.integers(100, 100 * allowed)), 100)
    side = draw(st.sampled_from(Side))
    if draw(st.booleans()):
        wallet = notional / leverage * Fraction(draw(st.integers(100, 300)), 100)
        return Position("BTCUSD", side, entry, size, entry, leverage, None, MarginMode.CROSS, wallet)
    extra = notional * draw(st.sampled_from((0, 0, 1))) * Fraction(draw(st.integers(1, 100)), 100)
    return Position("BTCUSD", side, entry, size, entry, leverage, extra_margin_usd=extra)


def value(found: Assessment, price: Fraction) -> Fraction:
    """Value at a price [money]: coins × price, or contracts ÷ price."""
    asked = found.position
    inverse = found.rules.contract is Contract.INVERSE
    return asked.notional_usd / price if inverse else asked.size_coins * price


def equity(found: Assessment, price: Fraction) -> Fraction:
    """What is left at a price [money], from the definition."""
    gain = value(found, price) - value(found, found.position.entry)
    sign = found.position.side.sign * (-1 if found.rules.contract is Contract.INVERSE else 1)
    return found.backing + sign * gain


def health(found: Assessment, price: Fraction) -> Fraction:
    """Equity less maintenance margin at a price, from the definition and nothing else [money]."""
    rules, asked = found.rules, found.position
    fixed = rules.maintenance.isolated_at_entry and asked.mode is MarginMode.ISOLATED
    charged = value(found, asked.entry if fixed else price)
    table, owed, floor = rules.tiers["BTCUSD"], Fraction(0), Fraction(0)
    for number, tier in enumerate(table.tiers):
        top = charged if number == len(table.tiers) - 1 else min(charged, Fraction(tier.cap_usd))
        owed += max(Fraction(0), top - floor) * tier.rate
        floor = Fraction(tier.cap_usd)
    if rules.maintenance.with_taker_fee:
        owed += charged * rules.fees.taker
    return equity(found, price) - owed


@settings(max_examples=400)
@given(st.data())
def test_health_is_zero_at_the_price_and_changes_sign_there(data: st.DataObject) -> None:
    rules = data.draw(rule_sets())
    asked = data.draw(asked_of(rules))
    found = assess(rules, asked)
    price, sign = found.liquidation_price, asked.side.sign
    assert found.equity - found.maintenance_margin == health(found, asked.mark)
    if price is None:
        for far in (10, 1000, 10**6):  # however far: a long down to nothing, a short up without end
            assert health(found, asked.entry / far if sign > 0 else asked.entry * far) >= 0
        return
    tick = price / 10**9
    assert health(found, price) == 0
    assert health(found, price + sign * tick) > 0 > health(found, price - sign * tick)


@settings(max_examples=300)
@given(st.data())
def test_equity_is_zero_at_the_bankruptcy_price_which_lies_beyond(data: st.DataObject) -> None:
    rules = data.draw(rule_sets())
    asked = data.draw(asked_of(rules))
    found = assess(rules, asked)
    if found.bankruptcy_price is None:
        far = 10**6
        assert equity(found, asked.entry / far if asked.side is Side.LONG else asked.entry * far) >= 0
        return
    assert equity(found, found.bankruptcy_price) == 0
    assert found.liquidation_price is not None
    assert asked.side.sign * (found.liquidation_price - found.bankruptcy_price) >= 0


@settings(max_examples=200)
@given(st.data())
def test_the_engines_kernel_changes_sign_within_a_tick_of_the_market(data: st.DataObject) -> None:
    """Whole lots and ticks, as a linear market of the engine has them."""
    rules = replace(data.draw(rule_sets()), contract=Contract.LINEAR, maintenance=Maintenance())
    lots, entry = data.draw(st.integers(1, 10**5)), data.draw(st.integers(10, 10**6))
    table = rules.tiers["BTCUSD"]
    notional = Fraction(lots * entry, 1000)  # 0.001 coin a lot, 1 USD a tick
    allowed = table.tiers[table.number(notional)].max_leverage
    leverage = data.draw(st.integers(1, allowed))
    side = data.draw(st.sampled_from(Side))
    asked = Position(
        "BTCUSD", side, Fraction(entry), Fraction(lots, 1000), Fraction(entry), Fraction(leverage)
    )
    price = assess(rules, asked).liquidation_price
    assume(price is not None and price > 2)
    assert price is not None
    wallet, size = round(notional * 10**6 / leverage), side.sign * lots
    record = tiers_record([table])

    def short_of_money(mark: int) -> bool:
        return health_single(wallet, size, size * entry * 1000, mark, 1000, 0, record) < 0

    losing, winning = (
        (math.floor(price), math.ceil(price)) if side is Side.LONG else (math.ceil(price), math.floor(price))
    )
    assert short_of_money(losing - side.sign) and not short_of_money(winning + side.sign)


def test_a_kernel_that_differed_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = position("BTC", "long", "117000", "0.1", leverage="100")
    for name in ("liquidation_price", "bankruptcy_price"):
        with monkeypatch.context() as patch:
            patch.setattr(lines, name, lambda *_: 123_456)
            with pytest.raises(TwinMismatch, match="123456 ticks"):
                assess(houses.PLAIN, asked)


def test_positions_that_no_price_liquidates() -> None:
    long = assess(houses.PLAIN, position("BTC", "long", "100", "1", leverage="1"))
    assert (long.liquidation_price, long.bankruptcy_price, long.steps) == (None, None, ())
    short = assess(houses.COIN, position("BTC", "short", "100", "1", leverage="1"))
    assert (short.liquidation_price, short.bankruptcy_price, short.steps) == (None, None, ())


def test_a_position_below_its_margin_at_the_mark_is_said_to_be() -> None:
    asked = position("BTC", "long", "100", "1", leverage="10", mark="90.2")
    found = assess(houses.PLAIN, asked)
    assert found.liquidatable and not assess(houses.PLAIN, replace(asked, mark=Fraction(91))).liquidatable
    assert found.equity == Fraction("0.2")


def test_fee_is_owed_on_top_with_the_same_deductions() -> None:
    table = houses.FEE.tiers["BTC-USDT-SWAP"]
    owed = with_fee(table, Fraction(6, 10_000))
    assert owed.deductions_usd == table.deductions_usd
    assert [a.rate - b.rate for a, b in zip(owed.tiers, table.tiers, strict=True)] == [
        Fraction(6, 10_000)
    ] * 2


# --- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "given_", "refused", "said"),
    [
        (
            houses.PLAIN,
            {"leverage": "150.01"},
            "leverage",
            "at most 150x .*tier 1 of BTCUSDT.* found 150.01x",
        ),
        (houses.PLAIN, {"leverage": "51", "size": "10"}, "leverage", "at most 50x .*tier 2"),
        (
            houses.PLAIN,
            {"leverage": "1", "size": "31"},
            "size",
            "at most 3,000,000 USD .*found 3,100,000.00 USD",
        ),
        (houses.COIN, {"leverage": "1", "size": "51"}, "size", "at most 50 BTC .*found 51.00 BTC"),
        (
            houses.PLAIN,
            {"symbol": "DOGEUSDT", "leverage": "1"},
            "symbol",
            r"\['BTCUSDT'\], found symbol 'DOGE",
        ),
        (
            houses.PLAIN,
            {"symbol": "BTCUSD_PERP", "leverage": "1"},
            "contract",
            "'BTCUSD_PERP', which is an inv",
        ),
        (houses.COIN, {"symbol": "BTCUSDT", "leverage": "1"}, "contract", "which is a linear one"),
        (
            houses.PLAIN,
            {"mode": MarginMode.CROSS, "wallet_usd": "999", "leverage": "100"},
            "wallet",
            "1,000.00",
        ),
    ],
)
def test_what_the_venue_does_not_allow(
    rules: VenueRules, given_: dict[str, Any], refused: str, said: str
) -> None:
    asked = {"symbol": "BTC", "side": "long", "entry": "100000", "size": "1", **given_}
    with pytest.raises(RulesError, match=said) as caught:
        assess(rules, position(**asked))
    assert caught.value.context["refused"] == refused


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({}, "either a leverage or a margin .*neither"),
        ({"leverage": "2", "margin_usd": "5"}, "both"),
        ({"leverage": "0.9"}, "at least 1, found 0.9"),
        ({"leverage": "2", "wallet_usd": "5"}, "isolated position is not backed by the wallet"),
        ({"mode": MarginMode.CROSS, "leverage": "2"}, "expected the wallet"),
        ({"mode": MarginMode.CROSS, "wallet_usd": "5", "margin_usd": "5"}, "backed by the wallet alone"),
        (
            {"mode": MarginMode.CROSS, "wallet_usd": "5", "extra_margin_usd": "5"},
            "extra margin: .*wallet alone",
        ),
    ],
)
def test_what_does_not_make_a_position(given_: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        position("BTC", "long", "100", "1", **given_)


# --- symbols ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "coin", "kind"),
    [
        ("BTCUSDT", "BTC", Contract.LINEAR),
        ("BTC-USDT-SWAP", "BTC", Contract.LINEAR),
        ("BTC/USDT:USDT", "BTC", Contract.LINEAR),
        ("BTC_USDT", "BTC", Contract.LINEAR),
        ("btcusdt", "BTC", Contract.LINEAR),
        ("ETHUSDC", "ETH", Contract.LINEAR),
        ("XBTUSD", "BTC", Contract.INVERSE),
        ("BTCUSD_PERP", "BTC", Contract.INVERSE),
        ("BTCUSD_251226", "BTC", Contract.INVERSE),
        ("BTC-USD", "BTC", Contract.INVERSE),
        ("BTC", "BTC", None),
        ("kPEPE", "1000PEPE", None),
        ("1000PEPEUSDT", "1000PEPE", Contract.LINEAR),
        ("KASUSDT", "KAS", Contract.LINEAR),
        ("USDCUSDT", "USDC", Contract.LINEAR),
    ],
)
def test_coin_and_kind_of_every_spelling(symbol: str, coin: str, kind: Contract | None) -> None:
    assert coin_of(symbol) == (coin, kind)


def test_among_contracts_of_a_coin_the_exact_one_then_the_one_in_usdt() -> None:
    row = (NO_END, "0.01", 50)
    rules = house("many", *(tiers(name, row) for name in ("BTCUSD", "BTCUSDC", "BTCUSDT", "ETHUSDT")))
    assert contract_of(rules, "BTC") == "BTCUSDT"
    assert contract_of(rules, "BTCUSDC") == "BTCUSDC"
    assert contract_of(rules, "DOGE") is None


@given(
    ppt=st.integers(1, 10**6),
    size=st.integers(1, 10**12),
    entry=st.integers(1, 10**12),
    leverage=st.integers(1, 100),
)
def test_rates_finer_than_the_kernel_holds_are_no_bug_of_ours(
    ppt: int, size: int, entry: int, leverage: int
) -> None:
    table = tiers("X", (10**6, Fraction(ppt, 10**12), 1), (10**12, Fraction(ppt + 1, 10**12), 1))
    slope, start = Fraction(size, 10**6), Fraction(entry, 10**6)
    line = lines.Line(slope * start / leverage, -slope, start)
    found = lines.margin_meets(line, table)
    assert found is not None and line.equity(found) == table.maintenance_margin(line.notional(found))
