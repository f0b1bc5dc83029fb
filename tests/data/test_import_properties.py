"""What holds for any file: a cut or damaged one is refused or harmless, and never ends in our bug."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deleverage.data import Lake, import_paths
from deleverage.errors import DeleverageError, InternalError
from tests.data import tiny


def attempt(make: Callable[[Path], Path], damage: Callable[[bytes], bytes]) -> int | None:
    """Rows that a damaged file gives; None where it is refused, and then nothing is written."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        path = make(folder / "in")
        path.write_bytes(damage(path.read_bytes()))
        try:
            report = import_paths([path], folder / "lake")
        except InternalError:
            raise
        except DeleverageError:
            assert not (folder / "lake").exists()
            return None
        return sum(report.added.values())


@given(st.data())
@settings(max_examples=60)
def test_a_csv_that_is_cut_inside_a_line_is_refused(data: st.DataObject) -> None:
    whole = tiny.minutes(Path(tempfile.mkdtemp())).read_bytes()
    at = data.draw(st.integers(1, len(whole) - 1))
    rows = attempt(tiny.minutes, lambda b: b[:at])
    lines = whole[:at].count(b"\n") - 1
    assert rows == (lines if whole[:at].endswith(b"\n") and lines > 0 else None)


@given(st.data())
@settings(max_examples=40)
def test_a_packed_file_that_is_cut_anywhere_is_refused(data: st.DataObject) -> None:
    whole = tiny.settled_funding(Path(tempfile.mkdtemp())).read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    assert attempt(tiny.settled_funding, lambda b: b[:at]) is None


MAKERS: dict[str, Callable[..., Path]] = {
    "minutes": tiny.minutes,
    "klines": tiny.klines,
    "candles": tiny.venue_candles,
    "funding": tiny.settled_funding,
    "chart": tiny.chart,
    "tiers": tiny.tiers,
    "spot": tiny.spot_hourly,
}


@pytest.mark.parametrize("kind", MAKERS)
@given(position=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
@settings(max_examples=25)
def test_a_damaged_byte_is_refused_or_harmless_and_never_our_bug(
    kind: str, position: float, byte: int
) -> None:
    def damage(whole: bytes) -> bytes:
        at = int(position * len(whole))
        return whole[:at] + bytes([byte]) + whole[at + 1 :]

    attempt(MAKERS[kind], damage)


@given(
    closes=st.lists(st.floats(90_000, 130_000), min_size=1, max_size=8),
    unit=st.sampled_from([1, 1000]),
    packed=st.booleans(),
)
@settings(max_examples=25)
def test_bars_come_back_as_they_were_in_either_unit_packed_or_not(
    closes: list[float], unit: int, packed: bool
) -> None:
    step, first = 300_000 * unit, tiny.T0_MS * unit
    rows = [
        f"{first + step * i},{c!r},{c!r},{c!r},{c!r},1.5,{first + step * (i + 1) - 1},0,1,0.5,0,0"
        for i, c in enumerate(closes)
    ]
    text = ("\n".join(rows) + "\n").encode()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        path = folder / "spot" / ("BTCUSDT-5m-2025-10.csv" + (".gz" if packed else ""))
        path.parent.mkdir()
        path.write_bytes(gzip.compress(text) if packed else text)
        import_paths([path], folder / "lake")
        found = Lake.open(folder / "lake").read("candles")
    assert found["close"].to_list() == closes
    opens = [(tiny.T0_MS + 300_000 * i) * 1_000_000 for i in range(len(closes))]
    assert found["time_ns"].to_list() == opens
