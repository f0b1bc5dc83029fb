"""Are claims measured as of their day, judged with their parts, and told with the day on which they held?"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import deleverage
from deleverage.claims.answer import to_dict
from deleverage.claims.check import Checked
from deleverage.claims.form import end_ns
from deleverage.claims.verdict import Verdict
from deleverage.errors import InputError, MissingDataError, exit_code
from deleverage.measure.asof import DAY_NS, Frames
from tests.claims.standin import CLOSE, HEAD, VENDOR_HEAD, bars, checked, frame


def one(folder: Path, text: str = CLOSE, **given: Any) -> Checked:
    return checked(folder, text, **given).claims[0]


def test_the_close_of_the_claims_day_counts_and_not_a_later_one(tmp_path: Path) -> None:
    found = one(tmp_path)  # 6 November closed at 60
    assert found.judged.verdict is Verdict.TRUE
    assert found.parts[0].value.value == 60
    assert found.parts[0].value.by == "binance spot"


def test_later_rows_change_no_verdict(tmp_path: Path) -> None:
    text = CLOSE.replace("stated = 60", "stated = 62")
    short = one(tmp_path, text, source=bars((100.0, 90.0, 80.0, 70.0, 75.0, 60.0)))
    whole = one(tmp_path, text)
    assert short.judged == whole.judged
    assert short.parts[0].value == whole.parts[0].value


@pytest.mark.parametrize(
    ("stated", "day", "passed_from"),
    [
        (75, "2025-11-05", None),  # closed at 75
        (55, "2025-11-07", 60.0),  # fell from 60 to 50 in the course of the 7th
        (71, "2025-11-06", 75.0),  # and from 75 to 60 on the claim's own day: true at another hour of it
        (83, "2025-11-03", 90.0),
        (500, None, None),
    ],
)
def test_the_day_on_which_it_held_is_the_nearest(
    tmp_path: Path, stated: float, day: str | None, passed_from: float | None
) -> None:
    found = one(tmp_path, CLOSE.replace("stated = 60", f"stated = {stated}")).parts[0].otherwise
    assert (found and found.day, found and found.passed_from) == (day, passed_from)


def test_no_day_is_looked_for_where_it_holds_or_where_scan_is_zero(tmp_path: Path) -> None:
    assert one(tmp_path).parts[0].otherwise is None
    text = CLOSE.replace("stated = 60", "stated = 71\nscan = 0")
    assert one(tmp_path, text).parts[0].otherwise is None


def test_what_a_lake_lacks_is_not_knowable_with_table_and_command(tmp_path: Path) -> None:
    text = CLOSE.replace('"level"', '"absent"').replace('reading = "close"', 'reading = "depth"')
    found = checked(tmp_path, text)
    assert found.claims[0].judged.verdict is Verdict.NOT_KNOWABLE
    told = to_dict(found)["claims"][0]
    assert told["measured"] is None
    assert "table depth" in told["lacks"][0]["what"]
    assert told["lacks"][0]["command"].startswith("deleverage backfill binance BTCUSDT --what depth")


def test_a_null_reading_is_not_knowable_and_says_why(tmp_path: Path) -> None:
    found = one(tmp_path, CLOSE.replace('reading = "close"', 'reading = "nothing"'))
    assert found.judged.verdict is Verdict.NOT_KNOWABLE
    assert found.parts[0].value.value is None
    assert found.parts[0].value.note == "nobody looked"


def test_a_range_of_hours_is_shown_and_an_error_is_judged(tmp_path: Path) -> None:
    text = CLOSE.replace('reading = "close"', 'reading = "unsure"').replace("stated = 60", "stated = 64")
    assert one(tmp_path, text).judged.verdict is Verdict.NOT_KNOWABLE  # 60 ± 5 holds 64
    shown = one(tmp_path, text + 'interval = "range"\n')
    assert (shown.judged.verdict, shown.judged.off_by) == (Verdict.OVERSTATED, 4)


def test_a_unit_that_is_not_the_readings_is_refused_on_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 12, close\.unit: expected 'USD'.*found 'share'"):
        one(tmp_path, CLOSE.replace('"USD"', '"share"'))


def test_a_reading_of_several_subjects_wants_one(tmp_path: Path) -> None:
    text = CLOSE.replace('reading = "close"', 'reading = "both"')
    with pytest.raises(InputError, match="here, there"):
        one(tmp_path, text)
    assert one(tmp_path, text + 'subject = "here"\n').judged.verdict is Verdict.TRUE


def test_a_claim_after_the_newest_data_is_exit_3_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="line 3, close") as caught:
        one(tmp_path, head=HEAD.replace("2025-11-06", "2025-12-24"))
    assert exit_code(caught.value) == 3
    assert "--from 2025-11-10" in str(caught.value.context["command"])
    with pytest.raises(MissingDataError, match="the lake has no data"):
        one(tmp_path, source=Frames({}))


def test_all_can_be_judged_as_of_another_moment(tmp_path: Path) -> None:
    found = one(tmp_path, at_ns=end_ns(date(2025, 11, 3)))
    assert found.parts[0].value.value == 80
    assert found.at_ns % DAY_NS == 0


VENDOR = (
    VENDOR_HEAD
    + """
[[claim.rival]]
measure = "counts"
reading = "published"
subject = "B"
"""
)


def test_a_vendors_figure_is_told_as_its_count(tmp_path: Path) -> None:
    found = checked(tmp_path, VENDOR)
    assert found.claims[0].judged.verdict is Verdict.ONE_COUNT
    told = to_dict(found)["claims"][0]
    assert told["by_whose_count"] == "A"
    assert told["rivals"][0]["measured"] == 9.9e9
    agreed = VENDOR.replace('subject = "B"', 'subject = "A"')
    assert one(tmp_path, agreed).judged.verdict in (Verdict.ROUNDED, Verdict.TRUE)


RATIO = """
[[claim]]
id = "unknown"
text = "Nobody knows."
kind = "measured"
measure = "level"
reading = "nothing"
stated = 600
unit = "USD"
tolerance = 0

[[claim]]
id = "times"
text = "Ten times."
kind = "arithmetic"
arithmetic = { operation = "ratio", of = ["unknown", "close"] }
stated = 10
unit = "count"
tolerance = 0
"""


def test_what_follows_from_an_unknown_figure_is_arithmetic_only(tmp_path: Path) -> None:
    found = checked(tmp_path, CLOSE + RATIO).claims[2]
    assert (found.judged.verdict, found.computed) == (Verdict.ARITHMETIC, 10)


FUTURE = """[[claim]]
id = "soon"
text = "It will rise."
kind = "future"
outcome = { horizon = 3, floor = 0.95 }

[[claim.also]]
measure = "level"
reading = "close"
"""


def test_the_future_cannot_be_checked_and_what_followed_is_told(tmp_path: Path) -> None:
    asked = []

    def happened(source: object, at_ns: int, horizon: int, floor: float) -> dict[str, str]:
        asked.append((at_ns, horizon, floor))
        return {"text": "it fell"}

    found = checked(tmp_path, FUTURE, happened=happened)
    assert found.claims[0].judged.verdict is Verdict.NO_CHECK
    assert to_dict(found)["claims"][0]["happened_next"] == {"text": "it fell"}
    assert asked == [(found.claims[0].at_ns, 3, 0.95)]
    assert not found.any_false


def test_only_the_word_false_makes_a_file_false(tmp_path: Path) -> None:
    assert not checked(tmp_path, CLOSE.replace("stated = 60", "stated = 90")).any_false
    assert checked(tmp_path, CLOSE.replace("stated = 60", "stated = -60")).any_false


_CONTRACT = {
    "id", "text", "stated", "measured", "interval", "verdict", "by_whose_count", "date", "true_on", "data",
}  # fmt: skip


def test_progress_names_each_claim_and_the_answer_is_plain_json(tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    found = checked(tmp_path, CLOSE + RATIO, progress=lambda *at: seen.append(at))
    assert [what for _, _, what in seen] == ["close", "unknown", "times", "all claims"]
    content = to_dict(found)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert set(content["claims"][0]) >= _CONTRACT
    assert content["claims"][0]["date"] == "2025-11-06"


def test_the_room_can_be_called_whatever_was_imported_before() -> None:
    assert callable(deleverage.claims)
    with pytest.raises(InputError, match="embedded claims"):
        deleverage.claims("absent", Frames({"candles": frame()}))
