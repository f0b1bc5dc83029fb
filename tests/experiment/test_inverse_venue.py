"""A venue that settles in the coin beside four that settle in USD, from its scenario to the answer."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from deleverage.engine.simulate import prepare_world, simulate
from deleverage.errors import InputError, RulesError
from deleverage.experiment.answer import Answer
from deleverage.experiment.flows import gains
from deleverage.experiment.scenario import Scenario
from deleverage.experiment.world import market_specs, news_of, world_of
from deleverage.venues.rules import Slice
from tests.experiment.small import answer_of

COIN_VENUE = """
[venues.bybit_inverse]
index = { binance = 1.0, bybit = 1.0, okx = 1.0 }
index_rule = "mean"
peers = {}
depth_multiple = { value = 1.0, unit = "x", mark = "assumed", source = "depth-as-stated" }
halt_from_s = { value = 0.0, unit = "s", mark = "assumed", source = "no-outage" }
halt_for_s = { value = 0.0, unit = "s", mark = "assumed", source = "no-outage" }

[market.coin-BTC]
like = "BTC"
venue = "bybit_inverse"
coin = "BTC"
symbol = "BTCUSD"
fund = "coins"
contract_usd = { value = 1.0, unit = "USD", mark = "assumed", source = "contract" }
open_interest_coins = { value = 8000.0, unit = "coins", mark = "assumed", source = "contract" }
depth_bid_coins = { value = 150.0, unit = "coins", mark = "assumed", source = "contract" }
depth_ask_coins = { value = 150.0, unit = "coins", mark = "assumed", source = "contract" }
spot_bid_coins = { value = 0.0, unit = "coins", mark = "assumed", source = "contract" }
spot_ask_coins = { value = 0.0, unit = "coins", mark = "assumed", source = "contract" }
volume_24h_coins = { value = 16000.0, unit = "coins", mark = "assumed", source = "contract" }

[insurance.coins]
usd = { value = 2e8, unit = "USD", mark = "assumed", source = "fund" }
inventory_multiple = { value = 1.0, unit = "x", mark = "assumed", source = "fund-inventory" }
unwind_half_life_s = { value = 600.0, unit = "s", mark = "assumed", source = "fund-inventory" }
"""


def with_coins(*changes: tuple[str, str]) -> Scenario:
    """The night on four venues and a fifth, after changes of its text."""
    added = COIN_VENUE
    for old, new in changes:
        assert old in added
        added = added.replace(old, new)
    text = Scenario.embedded_text("oct-10-four-venues").replace(
        '    "BTC", "ETH", "SOL",\n', '    "BTC", "ETH", "SOL", "coin-BTC",\n', 1
    )
    short = {"end": "2025-10-10T21:02:00Z", "news.shock": 0.05, "population.fuel": 0.5}
    return Scenario.from_text(text + added).with_settings(short)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    # Markets stand venue by venue.
    found = with_coins()
    order = (*(m for m in found.markets if m != "coin-BTC"), "coin-BTC")
    return found.model_copy(update={"markets": order})


@pytest.fixture(scope="module")
def answer(scenario: Scenario) -> Answer:
    return answer_of(scenario, seeds=2, accounts=3000)


def test_the_coin_venue_holds_coins_and_starts_with_the_stated_dollars(scenario: Scenario) -> None:
    world = world_of(scenario.fixed(), 0, 0, 3000)
    k, venue = len(world.names) - 1, len(world.venue_names) - 1
    assert (world.names[k], world.venue_names[venue]) == ("coin-BTC", "bybit_inverse")
    spec = market_specs(scenario.fixed())[k]
    units = 10**12  # in one coin: at 116,836.7 USD a unit is 1.2·10⁻⁷ USD
    assert world.markets.inverse_unit[k] == 10 * units  # $1 at a price of $0.1
    longs = int(np.maximum(world.size[:, k], 0).sum())
    assert longs == round(8000.0 * spec.start_price)  # contracts of $1
    assert world.size[:, k].sum() == 0
    fund = int(world.parties.funds[list(world.fund_names).index("coins")])
    assert world.wallet[fund] / units * spec.start_price == pytest.approx(2e8, rel=1e-9)
    assert int(world.venues["slice"][venue]) == Slice.LOWER_TIER
    # The first risk limit of 150 BTC, in units of the coin.
    assert world.tiers.cap_uusd[k, 0] == 150 * units


def test_it_falls_with_the_others_and_every_asset_is_conserved(answer: Answer, scenario: Scenario) -> None:
    assert answer.summary["ledger"] == {
        "residual": 0, "open_interest_imbalance": 0, "checks": answer.summary["ledger"]["checks"],
    }  # fmt: skip
    drops = {m: answer.summary["price"][m]["drop"]["p50"] for m in ("BTC", "coin-BTC")}
    assert drops["coin-BTC"] == pytest.approx(drops["BTC"], rel=0.3)
    found = answer.summary["venues"]["bybit_inverse"]
    assert found["liquidations"]["total_usd"]["p50"] > 1e6
    # Depth is that of a linear book of as many coins, and the fund is told in USD.
    rows = answer.tables["minutes"].filter(pl.col("market") == "coin-BTC", pl.col("variant") == "factual")
    assert rows["open_interest_coins"][0] == pytest.approx(8000.0, rel=0.05)
    hidden = rows["depth_bid_usd"][0] / (150.0 * 116_836.7)
    assert 0.5 < hidden <= 1.0
    assert rows["fund_usd"][0] == pytest.approx(2e8, rel=0.02)
    assert answer.summary["insurance_fund"]["coins"]["before_usd"] == pytest.approx(2e8, rel=1e-4)
    assert answer.summary["tipping"]["coin-BTC"]["n_start"]["p50"] > 0


def test_gains_of_both_kinds_of_venue_sum_to_zero(scenario: Scenario) -> None:
    fixed = scenario.fixed()
    world = world_of(fixed, 0, 0, 2000)
    finished = simulate(prepare_world(world), news_of(fixed, world, 0, 0), world.params)
    assert finished.tally.forced[:, len(world.names) - 1].any()
    assert sum(gains(finished).values()) == 0


def test_a_contract_in_usd_needs_an_inverse_venue_and_the_reverse() -> None:
    with pytest.raises(InputError, match=r"coin-BTC: expected contract_usd, .*trades inverse contracts"):
        market_specs(with_coins(("contract_usd = ", "# contract_usd = ")).fixed())
    wrong = with_coins(('venue = "bybit_inverse"', 'venue = "bybit"'), ('"BTCUSD"', '"BTCUSDT"'))
    with pytest.raises(InputError, match="coin-BTC: expected no contract_usd, since 'bybit' trades linear"):
        market_specs(wrong.fixed())
    with pytest.raises(RulesError, match="found symbol 'BTCUSDT'"):
        market_specs(with_coins(('"BTCUSD"', '"BTCUSDT"')).fixed())


def test_two_coins_are_two_venues() -> None:
    second = COIN_VENUE[COIN_VENUE.index("[market.coin-BTC]") : COIN_VENUE.index("[insurance")]
    second = second.replace("coin-BTC", "coin-ETH").replace('"BTC', '"ETH')
    text = Scenario.embedded_text("oct-10-four-venues").replace(
        '    "BTC", "ETH", "SOL",\n', '    "BTC", "ETH", "SOL", "coin-BTC", "coin-ETH",\n', 1
    )
    scenario = Scenario.from_text(text + COIN_VENUE + second)
    with pytest.raises(InputError, match=r"'bybit_inverse'.*\['coin-BTC', 'coin-ETH'\] in \['BTC', 'ETH'\]"):
        market_specs(scenario.fixed())
