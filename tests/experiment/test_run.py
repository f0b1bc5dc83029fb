"""What `run` answers with: the contract of ``--json``, tables that agree with it, a ledger that adds up."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from itertools import permutations
from math import isfinite
from typing import Any

import numpy as np
import polars as pl
import pytest

from deleverage import schema
from deleverage.errors import InputError
from deleverage.experiment.answer import MECHANICAL, MECHANISMS, Answer
from deleverage.experiment.ensemble import ALL, LIQUIDATIONS
from deleverage.experiment.run import PLACEBO_POINTS, interval, make_tasks, run
from tests.experiment.small import ACCOUNTS, SEEDS, answer_of, pair

# --- the contract of --json ----------------------------------------------------------------------

Check = Callable[[Any], bool]


def whole(value: Any) -> bool:
    return type(value) is int


def number(value: Any) -> bool:
    """A plain finite number; numpy's would not do for every reader."""
    return type(value) in (int, float) and isfinite(value)


def text(value: Any) -> bool:
    return type(value) is str and value != ""


def truth(value: Any) -> bool:
    return type(value) is bool


def interval_of(value: Any) -> bool:
    """5, 50 and 95 % points, in order."""
    return (
        type(value) is dict
        and set(value) == {"p05", "p50", "p95"}
        and all(number(point) for point in value.values())
        and value["p05"] <= value["p50"] <= value["p95"]
    )


def or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def list_of(check: Check, length: int | None = None) -> Check:
    return lambda value: (
        type(value) is list and all(map(check, value)) and (length is None or len(value) == length)
    )


def has(**checks: Check) -> Check:
    return lambda value: not list(problems(value, checks))


class Each(dict[str, Any]):
    """Shape of every entry of a dict whose keys are names of the scenario."""


SHARE = {"mean": or_none(number), "se": or_none(number)}
ENDS = {"first_in": or_none(number), "last_in": or_none(number)}

CONTRACT: dict[str, Any] = {
    "scenario": text,
    "title": text,
    "seeds": whole,
    "seed": whole,
    "accounts": whole,
    "steps": whole,
    "markets": list_of(text),
    "traded": Each({"venue": text, "coin": text}),
    "start": text,
    "end": text,
    "wall_s": number,
    "price": Each(
        {
            name: interval_of
            for name in ("start", "trough", "end", "drop", "recovered_share", "trough_after_s")
        }
    ),
    "counterfactual": Each({"drop": interval_of}),
    "news": Each({"drop": interval_of}),
    "mechanical_share": Each(
        {
            **SHARE,
            **ENDS,
            "prior_band": or_none(list_of(number, 2)),
            "placebo": or_none(number),
            "news": SHARE,
            "never_closed": SHARE,
            "shapley": {name: {**SHARE, **ENDS, "present": truth} for name in MECHANISMS},
        }
    ),
    "liquidations": {
        name: interval_of for name in ("total_usd", "long_usd", "short_usd", "accounts", "peak_minute_usd")
    },
    "filled_by": {name: interval_of for name in ("book_usd", "takeover_usd", "adl_usd")},
    "insurance_fund": Each({"before_usd": number, "after_usd": interval_of}),
    "adl": {"usd": interval_of, "first_after_s": or_none(interval_of), "runs_reached": whole},
    "venues": Each(
        {
            "markets": list_of(text),
            "liquidations": {name: interval_of for name in ("total_usd", "long_usd", "short_usd")},
            "adl": {
                "usd": interval_of,
                "share_of_liquidations": or_none(interval_of),
                "first_after_s": or_none(interval_of),
                "runs_reached": whole,
            },
        }
    ),
    "collateral": Each({"venue": text, "lowest": interval_of, "sold_usd": interval_of}),
    "deficit_usd": interval_of,
    "open_interest": Each({"before_coins": number, "after_coins": interval_of}),
    "tipping": Each(
        {
            "n_start": interval_of,
            "crosses_one_at": or_none(interval_of),
            "tipping_distance": or_none(interval_of),
            "depth_halved_multiplies_drop": or_none(interval_of),
        }
    ),
    "ledger": {"residual": whole, "open_interest_imbalance": whole, "checks": whole},
    "observed": Each({}),
    "published": list_of(
        has(
            id=text,
            text=text,
            by_whose_count=text,
            venue_set=text,
            published=or_none(number),
            unit=text,
            p05=or_none(number),
            p50=or_none(number),
            p95=or_none(number),
            verdict=lambda v: v in ("inside", "outside", "different venue set", "not simulated"),
            used_to_fit=truth,
            source=text,
        )
    ),
    "provenance": {
        "program": text,
        "version": text,
        "scenario_sha256": lambda v: text(v) and len(v) == 64,
        "figures_sha256": lambda v: text(v) and len(v) == 64,
        "seed": whole,
        "packages": {"python": text, "numba": text, "numpy": text, "polars": text},
        "data": list_of(has(source=text, sha256=text)),
        "command": text,
    },
}
FUNDS = {"double-trouble": ["house"], "oct-10-binance": ["btc-eth-bnb", "others"]}


def names_at(summary: dict[str, Any], key: str) -> list[str]:
    """Names that the entries of ``key`` must have: funds, or markets."""
    if key == "venues":
        return ["binance"]
    if key == "collateral":
        return list(summary.get("collateral", {}))
    return FUNDS[summary["scenario"]] if key == "insurance_fund" else list(summary["markets"])


def problems(
    value: Any, shape: Any, path: tuple[str, ...] = (), summary: dict[str, Any] | None = None
) -> Iterator[str]:
    """What in ``value`` is not as ``shape`` wants it; further keys are welcome."""
    at = ".".join(path)
    if isinstance(shape, Each):
        names = names_at(summary or {}, path[-1])
        if type(value) is not dict or list(value) != names:
            yield f"{at}: expected {names}"
            return
        for name in names:
            if shape:
                yield from problems(value[name], dict(shape), (*path, name), summary)
    elif isinstance(shape, dict):
        if type(value) is not dict:
            yield f"{at}: expected an object"
            return
        for key, inner in shape.items():
            if key not in value:
                yield f"{at}.{key}: missing"
            else:
                yield from problems(value[key], inner, (*path, key), summary)
    elif not shape(value):
        yield f"{at}: {value!r}"


def broken(summary: dict[str, Any], like: dict[str, Any] | None = None) -> list[str]:
    """Where a summary does not keep the contract; ``like`` is the whole one that it was made from."""
    return list(problems(summary, CONTRACT, (), like or summary))


MARKETS = ("ALPHA", "BETA")


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path


def test_every_key_of_the_contract_is_there_with_its_shape(
    small_answer: Answer, night_answer: Answer
) -> None:
    assert broken(small_answer.summary) == []
    assert broken(night_answer.summary) == []
    assert len(night_answer.summary["published"]) > 50


def shape_paths(summary: dict[str, Any], shape: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Path of every key of the contract, in a summary."""
    if isinstance(shape, Each):
        for name in names_at(summary, path[-1]):
            yield from shape_paths(summary, dict(shape), (*path, name))
    elif isinstance(shape, dict):
        for key, inner in shape.items():
            yield from shape_paths(summary, inner, (*path, key))
    else:
        yield path


def test_the_contract_notices_every_missing_key_and_every_value_that_is_no_number(
    small_answer: Answer,
) -> None:
    paths = list(shape_paths(small_answer.summary, CONTRACT))
    assert len(paths) > 100
    for path in paths:
        for spoil in ("drop", "nan", "numpy"):
            changed = copy.deepcopy(small_answer.summary)
            inside = changed
            for key in path[:-1]:
                inside = inside[key]
            if spoil == "drop":
                del inside[path[-1]]
            else:
                inside[path[-1]] = float("nan") if spoil == "nan" else np.float64(0.5)
            assert broken(changed, small_answer.summary), (spoil, path)


def test_the_contract_notices_a_spoilt_published_figure(night_answer: Answer) -> None:
    for key in night_answer.summary["published"][0]:
        changed = copy.deepcopy(night_answer.summary)
        del changed["published"][7][key]
        assert broken(changed), key


def test_the_summary_is_plain_json_without_nan_and_reads_back_as_it_was(small_answer: Answer) -> None:
    written = json.dumps(small_answer.summary, allow_nan=False)
    assert json.loads(written) == small_answer.summary
    assert all(type(key) is str for path in leaves(small_answer.summary) for key in path)


def test_figures_that_do_not_exist_are_null_and_not_zero() -> None:
    calm = answer_of(pair(population__fuel=0.0, population__short_fuel=0.0, news__shock=-0.05), seeds=4)
    assert json.loads(json.dumps(calm.summary, allow_nan=False)) == calm.summary
    assert broken(calm.summary) == []
    assert calm.summary["adl"]["first_after_s"] is None
    assert calm.summary["adl"]["runs_reached"] == 0
    assert calm.summary["tipping"]["ALPHA"]["tipping_distance"] is None
    assert calm.summary["observed"] == {"ALPHA": None, "BETA": None}


def test_an_evening_that_only_rises_has_no_drop_and_no_shares() -> None:
    still = {f"market__{market}__volatility_annual": 0.01 for market in MARKETS}
    rise = answer_of(
        pair(
            population__fuel=0.0,
            population__short_fuel=0.0,
            population__stop_share=0.0,
            news__shock=-0.03,
            **still,
        ),
        seeds=4,
    )
    for market in MARKETS:
        share = rise.summary["mechanical_share"][market]
        assert rise.summary["price"][market]["drop"]["p95"] < 1e-4
        assert (share["mean"], share["se"], share["prior_band"], share["first_in"]) == (None,) * 4
        assert all(row["mean"] is None for row in share["shapley"].values())
        # A multiple of no drop is not a number; it was NaN once.
        assert rise.summary["tipping"][market]["depth_halved_multiplies_drop"] is None
    assert rise.tables["shares"].height == 0
    assert rise.tables["share_by_shock"].height == 0
    assert json.loads(json.dumps(rise.summary, allow_nan=False)) == rise.summary


# --- the ledger --------------------------------------------------------------------------------------


def test_the_ledger_adds_up_to_integer_zero_and_says_how_often_it_was_checked(small_answer: Answer) -> None:
    ledger = small_answer.summary["ledger"]
    assert (ledger["residual"], ledger["open_interest_imbalance"]) == (0, 0)
    assert type(ledger["residual"]) is type(ledger["open_interest_imbalance"]) is int
    # Every run recounts at its start and end; the factual ones every minute.
    assert ledger["checks"] >= SEEDS * (2 + 600 // 60)


def test_check_recounts_at_every_step_and_changes_no_number() -> None:
    plain, checked = (answer_of(pair(), seeds=2, accounts=300, check=check) for check in (False, True))
    # The recount at the start of every run, and one for every step; the last step's is not counted twice.
    simulated_runs = int(checked.tables["values"].filter("simulated")["simulated"].sum()) // len(MARKETS)
    assert checked.summary["ledger"]["checks"] == simulated_runs * 601
    assert checked.summary["ledger"]["checks"] > 10 * plain.summary["ledger"]["checks"]
    for name in ("minutes", "draws", "values"):
        assert plain.tables[name].equals(checked.tables[name])


# --- the tables ------------------------------------------------------------------------------------


def test_every_table_of_the_schema_is_there_and_conforms(small_answer: Answer) -> None:
    assert set(small_answer.tables) == set(schema.ANSWER_TABLES)
    for name, table in schema.ANSWER_TABLES.items():
        assert schema.conform(small_answer.tables[name], table).equals(small_answer.tables[name]), name


def test_tables_have_one_row_for_what_their_keys_say(small_answer: Answer) -> None:
    rows = {name: frame.height for name, frame in small_answer.tables.items()}
    assert rows["minutes"] == 3 * SEEDS * 2 * 10  # variants, draws, markets, minutes
    assert rows["draws"] == SEEDS * 2
    assert rows["values"] == SEEDS * 2 * 2 ** len(MECHANISMS)
    assert rows["shares"] == 2 * 9  # news, seven mechanisms, mechanical
    assert rows["map"] == 2 * 161
    assert rows["tipping"] == 3 * 4 * 2  # depths, draws of the tipping ensemble, markets
    assert rows["figures"] == len(list(pair().figure_items()))


def test_minutes_add_up_to_the_draws(small_answer: Answer) -> None:
    bars = small_answer.tables["minutes"].filter(pl.col("variant") == "factual").sort("time_ns")
    sums = bars.group_by("seed", "market").agg(
        pl.col("liquidated_long_usd").sum(),
        pl.col("liquidated_short_usd").sum(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("open").first(),
        pl.col("open_interest_coins").last(),
    )
    both = small_answer.tables["draws"].join(sums, on=["seed", "market"], suffix="_bars")
    assert both.height == SEEDS * 2
    for column, other in (
        ("liquidated_long_usd", "liquidated_long_usd_bars"),
        ("liquidated_short_usd", "liquidated_short_usd_bars"),
        ("trough", "low"),
        ("end", "close"),
        ("start", "open"),
        ("open_interest_after_coins", "open_interest_coins"),
    ):
        assert np.allclose(both[column], both[other], rtol=1e-12, atol=1e-6), column


def test_every_forced_coin_is_closed_once(small_answer: Answer) -> None:
    bars = small_answer.tables["minutes"]
    forced = bars["liquidated_long_coins"] + bars["liquidated_short_coins"]
    closed = bars["book_coins"] + bars["takeover_coins"] + bars["adl_coins"]
    assert np.allclose(forced, closed, rtol=0, atol=1e-6)
    draws = small_answer.tables["draws"]
    forced_usd = draws["liquidated_long_usd"] + draws["liquidated_short_usd"]
    assert np.allclose(forced_usd, draws["book_usd"] + draws["takeover_usd"] + draws["adl_usd"], atol=1e-5)
    assert (forced_usd > 0).any()
    assert (draws["adl_usd"] > 0).any()


def test_nothing_is_liquidated_where_liquidations_are_off(small_answer: Answer) -> None:
    off = small_answer.tables["minutes"].filter(pl.col("variant") != "factual")
    for column in (
        "liquidated_long_usd",
        "liquidated_short_usd",
        "book_coins",
        "takeover_coins",
        "adl_coins",
    ):
        assert (off[column] == 0.0).all(), column
    alone = off.filter(pl.col("variant") == "news_only")
    assert (alone["stop_coins"] == 0.0).all()
    assert (off["stop_coins"] > 0.0).any()


# --- the summary says what the tables say --------------------------------------------------------------


def test_prices_are_quantiles_of_the_draws(small_answer: Answer) -> None:
    draws = small_answer.tables["draws"]
    for market in MARKETS:
        rows = draws.filter(pl.col("market") == market)
        for name in ("start", "trough", "end", "drop", "recovered_share"):
            assert small_answer.summary["price"][market][name] == interval(rows[name].to_numpy())
        assert np.allclose(rows["drop"], 1 - rows["trough"] / rows["start"], atol=1e-12)


def table_of_values(answer: Answer, market: str) -> np.ndarray:
    """v(S) by draw, read back from the table: [seeds, subsets]."""
    rows = answer.tables["values"].filter(pl.col("market") == market).sort("seed", "subset")
    return rows["drop"].to_numpy().reshape(-1, ALL + 1)


def test_counterfactual_news_and_shares_follow_from_the_table_of_values(small_answer: Answer) -> None:
    for market in MARKETS:
        v = table_of_values(small_answer, market)
        assert small_answer.summary["counterfactual"][market]["drop"] == interval(v[:, ALL ^ LIQUIDATIONS])
        assert small_answer.summary["news"][market]["drop"] == interval(v[:, 0])
        phi = np.zeros(len(MECHANISMS))
        orders = list(permutations(range(len(MECHANISMS))))
        for order in orders:
            present = 0
            for i in order:
                phi[i] += (v[:, present | 1 << i] - v[:, present]).mean() / len(orders)
                present |= 1 << i
        share = small_answer.summary["mechanical_share"][market]
        whole_drop = v[:, ALL].mean()
        for i, name in enumerate(MECHANISMS):
            assert share["shapley"][name]["mean"] == pytest.approx(phi[i] / whole_drop, abs=1e-12)
            last = (v[:, ALL] - v[:, ALL ^ 1 << i]).mean() / whole_drop
            assert share["shapley"][name]["last_in"] == pytest.approx(last, abs=1e-12)
            first = (v[:, 1 << i] - v[:, 0]).mean() / whole_drop
            assert share["shapley"][name]["first_in"] == pytest.approx(first, abs=1e-12)
        assert share["news"]["mean"] == pytest.approx(v[:, 0].mean() / whole_drop, abs=1e-12)


def test_news_and_mechanisms_add_up_to_the_whole_drop(small_answer: Answer) -> None:
    for market in MARKETS:
        share = small_answer.summary["mechanical_share"][market]
        rows = [share["news"]["mean"], *(row["mean"] for row in share["shapley"].values())]
        assert sum(rows) == pytest.approx(1.0, abs=1e-9)
        assert share["mean"] == pytest.approx(sum(share["shapley"][n]["mean"] for n in MECHANICAL), abs=1e-9)


def test_the_factual_value_is_the_drop_of_the_draw(small_answer: Answer) -> None:
    draws = small_answer.tables["draws"].sort("seed")
    for market in MARKETS:
        rows = draws.filter(pl.col("market") == market)
        assert np.array_equal(rows["drop"].to_numpy(), table_of_values(small_answer, market)[:, ALL])


def test_tipping_at_depth_one_is_the_factual_ensemble(small_answer: Answer) -> None:
    one = small_answer.tables["tipping"].filter(pl.col("depth") == 1.0)
    both = one.join(small_answer.tables["draws"], on=["seed", "market"], suffix="_factual")
    assert both.height == one.height == 8
    assert both["drop"].equals(both["drop_factual"], check_names=False)
    half = small_answer.tables["tipping"].filter(pl.col("depth") == 0.5)
    assert not half["drop"].equals(one["drop"])


def test_who_paid_whom_adds_up_to_what_the_parties_lost(small_answer: Answer) -> None:
    flows = small_answer.tables["ledger_flow"]
    assert (flows["usd"] > 0).all()
    assert set(flows["payer"]) >= {"liquidated longs"}
    assert "spot market" in {*flows["payer"], *flows["receiver"]}


# --- sizes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": 1}, "at least 2 seeds, found 1"),
        ({"seeds": 0}, "at least 2 seeds, found 0"),
        ({"accounts": 15}, "at least 16 accounts, found 15"),
        ({"accounts": 0}, "at least 16 accounts, found 0"),
        ({"seeds": 2, "executor": "cluster"}, "found 'cluster'"),
    ],
)
def test_a_size_that_cannot_be_run_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        run(pair(), **({"accounts": ACCOUNTS} | options))


def test_without_sizes_those_of_the_scenario_are_run() -> None:
    answer = run(pair(run__seeds=2, run__accounts=300, run__tipping_seeds=1), workers=1)
    assert (answer.summary["seeds"], answer.summary["accounts"]) == (2, 300)


def test_every_prior_point_has_its_placebo_and_its_never_closed_and_the_tipping_spans_the_points() -> None:
    scenario = pair(run__points=16, run__tipping_seeds=8)
    tasks = make_tasks(scenario, 0, 64, ACCOUNTS, False)
    assert {t.draw.point for t in tasks if t.never_closed} == set(range(16))
    assert sum(t.never_closed for t in tasks) == 16
    assert sum(t.placebo for t in tasks) == PLACEBO_POINTS
    assert [t.draw.point for t in tasks if t.depths] == list(range(0, 16, 2))
    assert {t.depths for t in tasks} == {(), (0.5, 1.0, 2.0)}


def test_progress_counts_every_draw_once() -> None:
    seen: list[tuple[int, int]] = []
    answer_of(pair(), seeds=3, workers=2, progress=lambda done, of, what: seen.append((done, of)))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
