"""Is a claim judged only by what was over and known at its moment, and by bars that reach it?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from deleverage.claims.answer import to_dict
from deleverage.claims.check import check
from deleverage.claims.form import end_ns
from deleverage.claims.verdict import Verdict
from deleverage.errors import InputError
from deleverage.experiment.measures import ALL
from deleverage.measure.asof import DAY_NS, Frames
from deleverage.measure.measure import Found, Measure, Whose, time_ns
from deleverage.report.claims import moment_text, screen
from deleverage.report.claims_note import note
from tests.claims.standin import CLOSE, FIRST, HEAD, MEASURES, VENDOR_HEAD, bars, checked, frame, write
from tests.data.rows import rows


def told(folder: Path, text: str, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = to_dict(checked(folder, text, **given))["claims"][0]
    return found


EARLY = end_ns(date(2025, 11, 3))
FALLEN = """[[claim]]
id = "fallen"
text = "It had fallen by a half."
kind = "measured"
measure = "change"
parameters = { coin = "BTC", since = 2025-11-01 }
reading = "change"
stated = -0.50
unit = "share"
tolerance = 0.01
"""


def test_a_figure_of_a_later_day_is_not_known_at_an_earlier_moment(tmp_path: Path) -> None:
    text = CLOSE + "at = 2025-11-05\n"
    assert told(tmp_path, text)["measured"] == 75
    found = told(tmp_path, text, at_ns=EARLY)
    assert (found["verdict"], found["measured"]) == ("not knowable from this data", None)
    assert "which was not over at 2025-11-04" in found["lacks"][0]["what"]


def test_what_stands_beside_a_claim_is_no_later_either(tmp_path: Path) -> None:
    also = '\n[[claim.also]]\nmeasure = "level"\nreading = "close"\nat = 2025-11-08\n'
    with pytest.raises(InputError, match=r"line 18, close\.at: expected a moment that is not later"):
        checked(tmp_path, CLOSE + also)


def test_a_stretch_that_was_not_over_is_not_judged_by_its_first_days(tmp_path: Path) -> None:
    def compute(asof: Any, parameters: Any) -> Any:
        found = Found("week", asof, parameters)
        found.reading("sum", "all", 60.0, "USD", Whose("x", "flows: x", FIRST, FIRST + 7 * DAY_NS))
        return found.measured()

    measures = {**MEASURES, "week": Measure("week", "What flowed?", (), compute, {"sum": ""})}
    file = write(tmp_path, CLOSE.replace('"level"', '"week"').replace('"close"\nst', '"sum"\nst'))
    at = {"early": end_ns(date(2025, 11, 3)), "over": end_ns(date(2025, 11, 7))}
    found = {name: check(file, bars(), measures=measures, at_ns=when).claims[0] for name, when in at.items()}
    assert found["early"].judged.verdict is Verdict.NOT_KNOWABLE
    assert found["over"].judged.verdict is Verdict.TRUE


def test_a_day_that_had_not_come_leaves_the_other_claims_their_verdicts(tmp_path: Path) -> None:
    file = write(tmp_path, FALLEN.replace("2025-11-01", "2025-11-05") + CLOSE)
    found = to_dict(check(file, bars(), measures={**ALL, **MEASURES}, at_ns=EARLY))["claims"]
    assert [claim["verdict"] for claim in found] == ["not knowable from this data", "understated"]
    assert "expected a day before 2025-11-04" in found[0]["lacks"][0]["what"]
    bad = write(tmp_path, FALLEN.replace("2025-11-01", "2025-11-08"))
    with pytest.raises(InputError, match="line 10, fallen"):  # on its own day it is the file's fault
        check(bad, bars(), measures=ALL)


def test_bars_that_end_before_the_claims_day_do_not_answer_for_it(tmp_path: Path) -> None:
    # bars end on 10 November; the index goes on to the 20th
    day = {"publisher": "p", "value": 10.0, "class": "", "coverage": None, "version": ""}
    mood = rows("sentiment", {"time_ns": FIRST + 19 * DAY_NS, **day})
    source = Frames({"candles": frame(), "sentiment": mood})
    head = HEAD.replace("2025-11-06", "2025-11-15")
    found = to_dict(check(write(tmp_path, FALLEN, head=head), source, measures=ALL))["claims"][0]
    assert (found["verdict"], found["measured"]) == ("not knowable from this data", None)
    assert "from 2025-11-11T00:00:00Z to 2025-11-16T00:00:00Z (table candles)" in found["lacks"][0]["what"]
    assert "--from 2025-11-11 --to 2025-11-15" in found["lacks"][0]["command"]
    reached = write(tmp_path, FALLEN, head=HEAD.replace("2025-11-06", "2025-11-07"))
    assert check(reached, source, measures=ALL).claims[0].judged.verdict is Verdict.TRUE


PARTS = """[[claim]]
id = "parts"
text = "It stood at 75 and had risen."
kind = "measured"

[[claim.figure]]
measure = "level"
reading = "close"
stated = 75
unit = "USD"
tolerance = 1

[[claim.figure]]
measure = "level"
reading = "change"
stated = 0
unit = "share"
comparison = "at {comparison}"
tolerance = 0
"""


def test_a_claim_is_true_on_a_day_only_if_all_its_figures_are(tmp_path: Path) -> None:
    # 75 on the 5th, when it had fallen from 100: no day had both
    found = told(tmp_path, PARTS.format(comparison="least"))
    assert found["figures"][0]["true_on"] == "2025-11-05"
    assert found["true_on"] is None
    found = told(tmp_path, PARTS.format(comparison="most"))
    assert (found["true_on"], found["true_on_value"]) == ("2025-11-05", 75)


def test_days_end_at_midnight_whatever_the_hour_of_the_claim(tmp_path: Path) -> None:
    noon = time_ns("2025-11-06T12:00")  # the last close is that of the 5th, 75
    found = told(tmp_path, CLOSE, at_ns=noon)
    assert (found["measured"], found["true_on"], found["true_on_value"]) == (75, "2025-11-06", 60)


def test_a_count_of_days_passes_no_number_on_its_way(tmp_path: Path) -> None:
    # a new high on the 6th: the count falls from 4 to 0 and is 2 at no hour of that day
    text = FALLEN.replace('"change"', '"drawdown"').replace(", since = 2025-11-01", ", from = 2025-11-01")
    text = text.replace('reading = "drawdown"', 'reading = "days_since_high"')
    text = text.replace("-0.50", "2").replace('"share"', '"days"').replace("0.01", "0\nscan = 1")
    closes = (100.0, 90.0, 80.0, 70.0, 75.0, 120.0, 50.0, 55.0)
    found = to_dict(check(write(tmp_path, text), bars(closes), measures=ALL))["claims"][0]
    assert (found["measured"], found["true_on"]) == (0, None)


def test_an_hour_is_told_as_that_hour_and_a_day_as_its_end(tmp_path: Path) -> None:
    day, noon = to_dict(checked(tmp_path, CLOSE)), end_ns(datetime(2025, 11, 6, 12, tzinfo=UTC))
    assert moment_text(day["claims"][0]) == "2025-11-06, end of the day (UTC)"
    hour = to_dict(checked(tmp_path, CLOSE, at_ns=noon))
    assert "as of 2025-11-06 12:00 UTC" in screen(hour)
    assert "end of the day" not in note(hour)


def test_a_vendors_figure_that_nobody_printed_here_is_not_called_its_count(tmp_path: Path) -> None:
    unknown = (
        VENDOR_HEAD.replace('"counts"', '"level"')
        .replace('"published"', '"nothing"')
        .replace('subject = "A"', 'subject = "BTC"')
    )
    assert checked(tmp_path, unknown).claims[0].judged.verdict is Verdict.NOT_KNOWABLE
    assert checked(tmp_path, VENDOR_HEAD).claims[0].judged.verdict is Verdict.ONE_COUNT
