"""How do two writers of a lake keep out of each other's way?"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from deleverage.errors import DataError, InputError

LOCK = ".lock"
_PAUSE_S = 0.05  # between two tries to take the lock


@contextmanager
def locked(folder: Path, wait_s: float) -> Iterator[None]:
    """Hold the writer's lock of a lake, whose folder is made where there is none.

    The kernel drops the lock with its process, so that a killed writer leaves none behind.
    """
    import fcntl  # POSIX only: imported here so that a reader elsewhere can do without

    left_s = wait_s
    while True:
        stream = _opened(folder)
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _still_there(stream.fileno(), folder / LOCK):
                break
            stream.close()
        except OSError:
            holder = _holder(stream)
            stream.close()
            if left_s <= 0:
                raise DataError(
                    f"another process (id {holder}) writes into the lake '{folder}'",
                    hint="wait until it has ended and try again",
                    folder=str(folder),
                ) from None
        time.sleep(_PAUSE_S)
        left_s -= _PAUSE_S
    with stream:
        stream.seek(0)
        stream.truncate()
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        yield


@contextmanager
def only_collector(folder: Path, name: str) -> Iterator[None]:
    """Hold the name of a collector, which one process at a time may have; ``folder`` keeps such names.

    Raises
    ------
    InputError
        another process of this machine has the name.
    """
    import fcntl  # POSIX only

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ("collect-" + re.sub(r"[^A-Za-z0-9_.+-]", "_", name))).open(
        "a+", encoding="ascii"
    ) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"expected to be the only collector '{name}' of this lake, found another that runs (process "
                f"{_holder(stream)})",
                hint="give this one another --name, or stop the other",
                app=name,
            ) from None
        stream.truncate(0)
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        yield


def _opened(folder: Path) -> TextIO:
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"expected a lake folder that can be made, found '{folder}': {error.strerror or error}",
                hint="choose another folder",
                folder=str(folder),
            ) from error
        with suppress(FileNotFoundError):  # a failed first write removed the folder in between: make it again
            return (folder / LOCK).open("a+", encoding="ascii")


def _holder(stream: TextIO) -> str:
    stream.seek(0)
    return stream.read().strip() or "not known"


def _still_there(handle: int, path: Path) -> bool:
    """Whether the locked file is the one at its path: a failed first write removes it with its folder."""
    try:
        return os.fstat(handle).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
