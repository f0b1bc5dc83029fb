"""Where does a file of Binance's public archive lie, and is it the one that its checksum promises?

Layout as published at github.com/binance/binance-public-data (read 2026-11): a zip of one CSV per symbol and
day or month, and beside it a file with its sha256. The checksum is compared before the zip is opened.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from urllib.parse import quote

from deleverage.data.backfill.days import Month
from deleverage.data.backfill.web import Web
from deleverage.errors import SourceChanged, SourceUnavailable

BASE = "https://data.binance.vision"
LISTING = "https://s3-ap-northeast-1.amazonaws.com/data.binance.vision"
_CHECKSUM = re.compile(r"\s*([0-9a-fA-F]{64})\s+\*?(\S+)\s*")
_MAX_PAGES = 200  # of 1,000 names: some 270 years of daily files


@dataclass(frozen=True)
class Family:
    """One kind of files: its folder, how it is cut, and how large a CSV may be."""

    folder: str
    daily: bool
    monthly: bool
    limit_bytes: int
    has_interval: bool = False


FAMILIES: dict[str, Family] = {
    "klines": Family("klines", True, True, 256 << 20, True),
    "metrics": Family("metrics", True, False, 64 << 20),
    "funding": Family("fundingRate", False, True, 64 << 20),
    "trades": Family("aggTrades", True, False, 8 << 30),  # a month is too much for one transaction
    "depth": Family("bookDepth", True, False, 256 << 20),
    "liquidations": Family("liquidationSnapshot", True, False, 256 << 20),
}


@dataclass(frozen=True)
class ArchiveFile:
    """One zip: its path in the archive and the name of the CSV inside."""

    path: str
    member: str


@dataclass
class Archive:
    """The archive as ``base`` serves it; ``market`` is 'futures/um', 'futures/cm' or 'spot'."""

    web: Web
    base: str = BASE
    listing: str = LISTING
    damaged_tries: int = 2
    _listed: dict[str, list[str]] = field(default_factory=dict)

    def daily(self, market: str, kind: str, symbol: str, interval: str, day: date) -> ArchiveFile:
        """The file of a day."""
        return _file(market, "daily", kind, symbol, interval, day.isoformat())

    def monthly(self, market: str, kind: str, symbol: str, interval: str, month: Month) -> ArchiveFile:
        """The file of a month."""
        return _file(market, "monthly", kind, symbol, interval, str(month))

    def fetch(self, file: ArchiveFile, target: Path, *, limit_bytes: int) -> str | None:
        """Download a zip to ``target``; its sha256, or None where the archive has no such file.

        Raises
        ------
        SourceChanged
            the checksum file is none, or the zip is not the one that it promises, at every try.
        """
        url = f"{self.base}/{quote(file.path)}"
        found = ""
        for _ in range(self.damaged_tries):
            reply = self.web.get(f"{url}.CHECKSUM", limit_bytes=1 << 12)
            if reply.status == 404:
                return None
            promised = _promised(reply.body, file)
            digest = self.web.download(url, target, limit_bytes=limit_bytes)
            if digest is None:
                return None
            if digest == promised:
                return digest
            found = f"promised {promised[:12]}…, received {digest[:12]}…"
        target.unlink(missing_ok=True)
        raise SourceChanged(
            f"{file.path}: expected the bytes of its checksum file, found others ({found})",
            hint="nothing of this file was kept; repeat the command later",
            file=file.path,
        )

    def dates(self, market: str, cut: str, kind: str, symbol: str, interval: str) -> list[str]:
        """Dates ('2025-10-10' or '2025-10') of the files that the archive has of a series, in order."""
        prefix = _folder(market, cut, kind, symbol, interval) + "/"
        if prefix not in self._listed:
            names = [name for name in self._names(prefix) if name.endswith(".zip")]
            self._listed[prefix] = sorted(
                m[1] for n in names if (m := re.search(r"(\d{4}-\d\d(-\d\d)?)\.zip$", n))
            )
        return self._listed[prefix]

    def symbols(self, market: str, cut: str, kind: str) -> list[str]:
        """Symbols that the archive has files of."""
        prefix = f"data/{market}/{cut}/{FAMILIES[kind].folder}/"
        return sorted(name.removeprefix(prefix).strip("/") for name in self._names(prefix))

    def _names(self, prefix: str) -> list[str]:
        """Everything directly below a prefix: keys and, ending in '/', folders. Follows the pages of a
        listing.
        """
        found: list[str] = []
        marker = ""
        for _ in range(_MAX_PAGES):
            url = f"{self.listing}?delimiter=/&prefix={quote(prefix)}"
            reply = self.web.get(url + (f"&marker={quote(marker)}" if marker else ""))
            names, cut_off, following = _page(reply.body if reply.status == 200 else b"", url)
            fresh = [name for name in names if name > marker]
            found += fresh
            if not cut_off:
                return found
            marker = following or (max(fresh) if fresh else "")
            if not fresh:
                break
        raise SourceChanged(f"{self.listing}: expected a listing that ends, found none for '{prefix}'")


def _folder(market: str, cut: str, kind: str, symbol: str, interval: str) -> str:
    family = FAMILIES[kind]
    folder = f"data/{market}/{cut}/{family.folder}/{symbol}"
    return f"{folder}/{interval}" if family.has_interval else folder


def _file(market: str, cut: str, kind: str, symbol: str, interval: str, stamp: str) -> ArchiveFile:
    family = FAMILIES[kind]
    stem = f"{symbol}-{interval if family.has_interval else family.folder}-{stamp}"
    return ArchiveFile(f"{_folder(market, cut, kind, symbol, interval)}/{stem}.zip", f"{stem}.csv")


def _promised(body: bytes, file: ArchiveFile) -> str:
    match = _CHECKSUM.fullmatch(body.decode("utf-8", "replace"))
    name = file.path.rsplit("/", 1)[-1]
    if match is None or match[2] != name:
        raise SourceChanged(
            f"{file.path}.CHECKSUM: expected a sha256 and the name '{name}', found {body[:100]!r}",
            hint="nothing of this file was kept",
            file=file.path,
        )
    return match[1].lower()


def _page(body: bytes, url: str) -> tuple[list[str], bool, str]:
    """Names of one page of a listing, whether it is cut off, and where the next page begins."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise SourceChanged(f"{url}: expected a plain listing, found one with declarations", url=url)
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise SourceUnavailable(
            f"{url}: expected a listing in XML, found {body[:80]!r} ({error})", url=url
        ) from error
    texts: dict[str, list[str]] = {}
    for element in root.iter():
        texts.setdefault(element.tag.rsplit("}", 1)[-1], []).append((element.text or "").strip())
    prefix = texts.get("Prefix", [""])
    names = texts.get("Key", []) + [one for one in prefix[1:] if one]
    return names, texts.get("IsTruncated", ["false"])[0] == "true", texts.get("NextMarker", [""])[0]
