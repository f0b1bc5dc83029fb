"""Where does a lake lie: in a folder, or in an object store that is named by a URL?"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deleverage.errors import InputError

# A URL that went through `Path` has lost one slash: 's3:/bucket/lake'.
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):/{1,2}(?P<rest>[^/].*)")

_NO_MORE = re.compile(r"[a-z][a-z0-9+.-]+:/*")


@dataclass(frozen=True)
class Place:
    """A folder of this machine, or a URL.

    Parameters
    ----------
    uri : path or URL, without a slash at its end.
    folder : the same as a path; None for an object store.
    options : what delta-rs and Polars need to reach the store; the environment is asked for what is not
    given.
    """

    uri: str
    folder: Path | None
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Path | str, options: Mapping[str, str] | None = None) -> Place:
        """The place that a path or URL names.

        Raises
        ------
        InputError
            it is the beginning of a URL and names nothing.
        """
        text = str(given)
        if text.startswith("file://"):
            text = unquote(urlsplit(text).path)
        if _NO_MORE.fullmatch(text):
            raise InputError(
                f"expected the address of a lake like s3://bucket/lake, found '{text}'",
                hint="name the bucket and the lake in it, or a folder",
            )
        found = _URL.fullmatch(text)
        if found:
            return cls(f"{found['scheme']}://{found['rest']}".rstrip("/"), None, dict(options or {}))
        return cls(text, Path(text), dict(options or {}))

    def at(self, name: str) -> str:
        """Path or URL of something inside, 'trades/part-1.parquet'."""
        return f"{self.uri}/{name}" if self.folder is None else str(self.folder / name)

    def size(self, name: str) -> int:
        """Bytes of a file inside a folder."""
        assert self.folder is not None
        return (self.folder / name).stat().st_size

    def to_disk(self, *names: str) -> None:
        """Have files and then their folders on the disk before going on; an object store has them already."""
        if self.folder is None:
            return
        for path in (self.folder / name for name in names):
            sync(path)
        for parent in dict.fromkeys((self.folder / name).parent for name in names):
            sync(parent)

    def remove(self, *names: str) -> None:
        """Remove files of a folder; in an object store they stay until `vacuum`."""
        if self.folder is not None:
            for name in names:
                (self.folder / name).unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have one file or folder on the disk: delta-rs leaves that to the operating system (decision 0014)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
