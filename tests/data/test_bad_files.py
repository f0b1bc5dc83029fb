"""Files that are packed, cut, in another coding, mixed or hostile are refused with their place."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from deleverage.data import finding, import_paths
from deleverage.data.importers import checks, content
from deleverage.data.importers.base import SourceFile
from deleverage.errors import DeleverageError, InputError, SchemaError, SourceChanged, UnitError
from tests.data import tiny

Make = Callable[[Path], Path]
KLINES = "BTCUSDT-5m-2025-10"
ZEROS = b"0" * (64 * 1024**2)


def zipped(folder: Path, name: str, members: dict[str, bytes]) -> Path:
    path = folder / "spot" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return path


def kline_zip(folder: Path) -> Path:
    data = tiny.klines(folder / "plain", unit=1).read_bytes()
    return zipped(folder, f"{KLINES}.zip", {f"{KLINES}.csv": data})


def cut_zip(folder: Path) -> Path:
    path = kline_zip(folder)
    path.write_bytes(path.read_bytes()[:-40])
    return path


def bomb(folder: Path) -> Path:
    return zipped(
        folder, f"{KLINES}.zip", {f"{KLINES}.csv": tiny.klines(folder / "plain", unit=1).read_bytes() + ZEROS}
    )


def gzip_bomb(folder: Path) -> Path:
    path = folder / "BTCUSDT-perp-1m-x.csv.gz"
    path.write_bytes(gzip.compress(tiny.minutes(folder).read_bytes() + ZEROS))
    return path


def nested(folder: Path) -> Path:
    inner = kline_zip(folder / "inner").read_bytes()
    return zipped(folder, "outer.zip", {f"{KLINES}.csv": inner})


def leading_out(folder: Path) -> Path:
    return zipped(folder, f"{KLINES}.zip", {"../../escape.csv": b"a,b\n"})


def linked_member(folder: Path) -> Path:
    path = folder / "spot" / "linked.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("link.csv")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return path


def link_out(folder: Path) -> Path:
    outside = folder.parent / "outside"
    tiny.minutes(outside)
    data = folder / "data"
    data.mkdir()
    os.symlink(outside / "perp_1m" / "BTCUSDT-perp-1m-2025-10-10.csv", data / "bars.csv")
    return data


def feather(folder: Path, **columns: object) -> Path:
    rows = {
        "date": [datetime(2025, 10, 10, 20, minute, tzinfo=UTC) for minute in range(3)],
        "open": [116_000.0] * 3,
        "high": [116_100.0] * 3,
        "low": [115_900.0] * 3,
        "close": [116_050.0] * 3,
        "volume": [1.0] * 3,
    } | columns
    path = folder / "binance" / "BTC_USDT_USDT-1m-futures.feather"
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows).with_columns(pl.col("date").cast(pl.Datetime("ms", "UTC"))).write_ipc(path)
    return path


def cut_feather(folder: Path) -> Path:
    path = feather(folder)
    path.write_bytes(path.read_bytes()[:200])
    return path


def changed_minutes(old: bytes, new: bytes) -> Make:
    def make(folder: Path) -> Path:
        path = tiny.minutes(folder)
        data = path.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new, 1))
        return path

    return make


def future(folder: Path) -> Path:
    return tiny.minutes(
        folder, tiny.minute_rows(3, start_ms=checks.now_ns() // 60_000_000_000 * 60_000 + 90_000_000)
    )


def mixed_rates(folder: Path) -> Path:
    return tiny.settled_funding(folder, ("0.0001", "0.01") * 4)


def two_values_of_a_day(folder: Path) -> Path:
    return tiny.put(folder / "fng.csv", "date,fng\n2025-10-10,40\n2025-10-10,41\n")


def twice_in_json(folder: Path) -> Path:
    return tiny.put(
        folder / "fng.json",
        '[{"value":"12","value":"13","value_classification":"Extreme Fear","timestamp":"1760054400"}]',
    )


def fng_in_milliseconds(folder: Path) -> Path:
    return tiny.put(
        folder / "fng.json",
        json.dumps([{"value": "12", "value_classification": "Extreme Fear", "timestamp": "1760054400000"}]),
    )


def stream(folder: Path, *lines: str) -> Path:
    path = folder / "usdm_btcusdt.gz"
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    return path


TRADE = (
    '1760126400000000000 {"stream":"btcusdt@trade","data":{"e":"trade","E":1760126400000,"T":1760126400000,'
    '"s":"BTCUSDT","t":1,"p":"116000.0","q":"0.5","m":true}}'
)


CASES: dict[str, tuple[Make, type[DeleverageError], tuple[str, ...]]] = {
    "a zip that is cut off": (cut_zip, SourceChanged, (f"{KLINES}.zip", "unpack")),
    "a zip bomb": (bomb, InputError, (f"{KLINES}.zip!{KLINES}.csv", "grows at most", "bomb")),
    "a gzip bomb": (gzip_bomb, InputError, ("x.csv.gz", "grows at most", "bomb")),
    "an archive inside an archive": (nested, InputError, ("outer.zip!", "packed once", "archive")),
    "a member that leads out of its archive": (leading_out, InputError, ("'../../escape.csv'", "leads out")),
    "a member that is a link": (linked_member, InputError, ("'link.csv'", "a link")),
    "a link that leads out of the folder": (link_out, InputError, ("bars.csv", "leads out")),
    "a feather file that is cut off": (cut_feather, SourceChanged, ("futures.feather", "open")),
    "a NaN in a feather file": (
        lambda f: feather(f, close=[116_050.0, float("nan"), 116_050.0]),
        SchemaError,
        ("row 2", "field 'close'", "finite"),
    ),
    "a negative volume in a feather file": (
        lambda f: feather(f, volume=[1.0, 1.0, -1.0]),
        UnitError,
        ("row 3", "field 'volume_coins'", "-1"),
    ),
    "a text that is no UTF-8": (
        changed_minutes(b"116050.0", b"1160\xff0.0"),
        SourceChanged,
        ("line 2", "UTF-8", "0xff"),
    ),
    "a line without end": (
        changed_minutes(b"10.500", b"10.500" + b"0" * (2 * 1024**2)),
        SchemaError,
        ("line 2", "1,048,576 bytes"),
    ),
    "a date in the future": (future, UnitError, ("line 2", "field 'open_time'", "not in the future")),
    "rates as shares and in percent": (
        mixed_rates,
        UnitError,
        ("line 3", "field 'last_funding_rate'", "one unit", "0.01"),
    ),
    "two values of one day": (two_values_of_a_day, SchemaError, ("fng.csv", "line 2", "each day once")),
    "a name twice in an object": (twice_in_json, SourceChanged, ("fng.json", "'value' twice")),
    "milliseconds for seconds": (fng_in_milliseconds, UnitError, ("fng.json", "row 1", "in milliseconds")),
    "a stream that is cut inside a message": (
        lambda f: stream(f, TRADE, TRADE[:60]),
        SourceChanged,
        ("usdm_btcusdt.gz", "line 2", "JSON object"),
    ),
    "a trade of no size": (
        lambda f: stream(f, TRADE, TRADE.replace('"0.5"', '"-0.5"').replace('"t":1', '"t":2')),
        SchemaError,
        ("line 2", "field 'coins'", "-0.5"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_file_is_refused_with_its_place_and_nothing_is_written(case: str, tmp_path: Path) -> None:
    make, kind, words = CASES[case]
    folder = tmp_path / "in"
    folder.mkdir()
    given = make(folder)
    with pytest.raises(DeleverageError) as caught:
        import_paths([given], tmp_path / "lake")
    assert type(caught.value) is kind, caught.value
    for word in words:
        assert word in str(caught.value)
    assert caught.value.hint
    assert not (tmp_path / "lake").exists()


def test_a_bad_file_leaves_a_lake_as_it_was(tmp_path: Path) -> None:
    import_paths([tiny.minutes(tmp_path / "good")], tmp_path / "lake")
    before = tiny.commits(tmp_path / "lake")
    tiny.klines(tmp_path / "in")
    bomb(tmp_path / "in")
    with pytest.raises(InputError):
        import_paths([tmp_path / "in"], tmp_path / "lake")
    assert tiny.commits(tmp_path / "lake") == before


def test_a_bomb_is_given_up_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = content.open_stream

    class Counted:
        def __init__(self, stream: object) -> None:
            self.stream = stream

        def read(self, size: int) -> bytes:
            chunk: bytes = self.stream.read(size)  # type: ignore[attr-defined]
            read.append(len(chunk))
            return chunk

    from contextlib import contextmanager

    @contextmanager
    def counted(source: SourceFile):  # type: ignore[no-untyped-def]
        with real(source) as stream:
            yield Counted(stream)

    monkeypatch.setattr(content, "open_stream", counted)
    with pytest.raises(InputError, match="bomb"):
        import_paths([bomb(tmp_path)], tmp_path / "lake")
    assert sum(read) < 20 * 1024**2  # of 64 MiB


def test_an_archive_gives_the_rows_of_its_member_under_a_name_of_both(tmp_path: Path) -> None:
    from deleverage.data import Lake

    report = import_paths([kline_zip(tmp_path)], tmp_path / "lake")
    rows = Lake.open(tmp_path / "lake").read("candles")
    assert rows.height == 3
    assert rows["source"].unique().to_list() == [f"spot/{KLINES}.zip!{KLINES}.csv"]
    assert report.imported == [f"spot/{KLINES}.zip!{KLINES}.csv"]


def test_a_row_that_stands_twice_with_the_same_values_is_kept_once(tmp_path: Path) -> None:
    frame = pl.read_parquet(tiny.pairs(tmp_path / "data"))
    tiny.chart(tmp_path / "data")
    mapping = tiny.put(
        tmp_path / "m.toml",
        'table = "market_caps"\n[time]\ncolumn = "t"\nunit = "seconds"\n[columns]\nusd = "cap"\n'
        '[constants]\npublisher = "me"\ncoin = "BTC"\n',
    )
    path = tiny.put(tmp_path / "caps.csv", "t,cap\n1760054400,5.0\n1760054400,5.0\n")
    report = import_paths([path], tmp_path / "lake", mapping=mapping)
    assert report.added == {"market_caps": 1}
    assert report.noted["rows-repeated"].rows == 1
    assert frame.height == 2


def test_a_row_that_stands_twice_with_other_values_is_refused_with_its_line(tmp_path: Path) -> None:
    mapping = tiny.put(
        tmp_path / "m.toml",
        'table = "market_caps"\n[time]\ncolumn = "t"\nunit = "seconds"\n[columns]\nusd = "cap"\n'
        '[constants]\npublisher = "me"\ncoin = "BTC"\n',
    )
    path = tiny.put(tmp_path / "caps.csv", "t,cap\n1760054400,5.0\n1760140800,5.0\n1760054400,6.0\n")
    with pytest.raises(SchemaError, match=r"caps\.csv, line 4.*different values"):
        import_paths([path], tmp_path / "lake", mapping=mapping)
    assert not (tmp_path / "lake").exists()


def test_two_importers_that_both_match_are_an_error_that_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from deleverage.data import recognition
    from deleverage.data.importers import IMPORTERS

    minutes = next(importer for importer in IMPORTERS if importer.name == "binance-perp-minutes")
    monkeypatch.setattr(recognition, "IMPORTERS", (*IMPORTERS, replace(minutes, name="another")))
    with pytest.raises(SchemaError, match="binance-perp-minutes and of another"):
        import_paths([tiny.minutes(tmp_path)], tmp_path / "lake")


def test_a_folder_that_cannot_be_read_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.minutes(tmp_path / "data")
    closed = tmp_path / "data" / "closed"
    closed.mkdir()
    scandir = os.scandir

    def refusing(path: str) -> object:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(InputError, match=r"closed.*Permission denied"):
        import_paths([tmp_path / "data"], tmp_path / "lake")
    assert not (tmp_path / "lake").exists()


def test_a_file_that_cannot_be_read_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny.minutes(tmp_path / "data")

    def refusing(source: SourceFile) -> bool:
        raise PermissionError(13, "Permission denied", str(source.path))

    monkeypatch.setattr(finding, "is_zip", refusing)
    with pytest.raises(InputError, match=f"{path.name}.*Permission denied"):
        import_paths([tmp_path / "data"], tmp_path / "lake")


def test_a_zip_with_two_members_of_one_name_is_refused(tmp_path: Path) -> None:
    path = kline_zip(tmp_path)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{KLINES}.csv", "1\n")
    with pytest.raises(InputError, match=r"expected each member once"):
        import_paths([path], tmp_path / "lake")


@pytest.mark.parametrize("name", ["notes.csv", "bars/BTCUSDT-5m-2025-10.csv"])
def test_a_folder_with_nothing_usable_is_refused_with_the_reasons(tmp_path: Path, name: str) -> None:
    text = "a,b\n1,2\n" if name == "notes.csv" else tiny.klines(tmp_path / "plain").read_text()
    tiny.put(tmp_path / "in" / name, text)
    with pytest.raises(InputError, match=rf"found none among 1: {name}: "):
        import_paths([tmp_path / "in"], tmp_path / "lake")
    assert not (tmp_path / "lake").exists()


def test_control_characters_of_a_file_name_are_escaped(tmp_path: Path) -> None:
    tiny.minutes(tmp_path / "in")
    tiny.put(tmp_path / "in" / "a\x1b[2J\nb.csv", "a,b\n1,2\n")
    report = import_paths([tmp_path / "in"], tmp_path / "lake")
    assert report.skipped[0][0] == "a\\x1b[2J\\nb.csv"
    with pytest.raises(InputError) as caught:
        import_paths([tmp_path / "in" / "a\x1b[2J\nb.csv"], tmp_path / "other")
    assert "\x1b" not in str(caught.value)
