"""What is in a zip of one CSV, and is it safe to unpack?

One member with the expected name, neither encrypted nor a path, no larger than allowed whatever its header
claims, and with the CRC that it states.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from deleverage.errors import DeleverageError, SourceChanged

MAX_RATIO = 400  # numbers as text shrink by ten; a bar that repeats all day by some hundred
_SMALL = 16 << 20  # below this the ratio does not matter
_BLOCK = 1 << 20


@contextmanager
def member(path: Path, name: str, *, label: str, limit_bytes: int) -> Iterator[Blocks]:
    """The blocks of the one CSV in the zip at ``path``.

    Parameters
    ----------
    name : what the member must be called.
    label : what to call the zip in messages.
    limit_bytes : largest size of the CSV.

    Raises
    ------
    SourceChanged
        the zip is damaged, holds anything else, or is larger than allowed; also while blocks are read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            info = _only(archive, name, label, limit_bytes)
            with archive.open(info) as stream:
                yield Blocks(stream, label, limit_bytes)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _refused(label, "a whole zip", f"a damaged one ({error})") from error


class Blocks:
    """Reads a member block by block; each block ends with a whole line, but for the last line of all."""

    def __init__(self, stream: IO[bytes], label: str, limit_bytes: int) -> None:
        self._stream, self._label, self._limit = stream, label, limit_bytes

    def whole(self) -> bytes:
        """Everything at once."""
        return b"".join(self.lines(self._limit))

    def lines(self, about_bytes: int) -> Iterator[bytes]:
        """Whole lines, in blocks of about that many bytes."""
        held: list[bytes] = []
        size = total = 0
        while block := self._stream.read(_BLOCK):
            total += len(block)
            if total > self._limit:  # the header may claim less than there is
                raise _refused(self._label, f"at most {self._limit:,} bytes inside", "more")
            size += len(block)
            held.append(block)
            if size >= about_bytes:
                text = b"".join(held)
                end = text.rfind(b"\n") + 1
                if end:
                    yield text[:end]
                held, size = [text[end:]], len(text) - end
        if size:
            yield b"".join(held)


def _only(archive: zipfile.ZipFile, name: str, label: str, limit_bytes: int) -> zipfile.ZipInfo:
    members = archive.infolist()
    if [info.filename for info in members] != [name]:
        found = [info.filename for info in members[:3]]
        raise _refused(label, f"one member '{name}'", f"{len(members)}: {found}")
    info = members[0]
    if info.flag_bits & 1:
        raise _refused(label, "a member without a password", "an encrypted one")
    if info.file_size > limit_bytes:
        raise _refused(label, f"at most {limit_bytes:,} bytes inside", f"{info.file_size:,}")
    if info.file_size > max(_SMALL, MAX_RATIO * max(info.compress_size, 1)):
        raise _refused(
            label,
            f"a member of at most {MAX_RATIO} times its packed size",
            f"{info.file_size:,} bytes in {info.compress_size:,}",
        )
    return info


def _refused(label: str, expected: str, found: str) -> DeleverageError:
    return SourceChanged(
        f"{label}: expected {expected}, found {found}",
        hint="nothing of this file was kept",
        file=label,
    )
