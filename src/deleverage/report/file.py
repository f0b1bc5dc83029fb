"""How does a text become a file: whole, or not at all?"""

from __future__ import annotations

import os
from pathlib import Path

from deleverage.errors import InputError


def write_whole(target: Path, text: str, option: str) -> None:
    """Write a file beside its place and rename it; a process that is killed leaves the old file or none.

    option : the option that named the file, for the message.

    Raises
    ------
    InputError
        it cannot be written there.
    """
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        if target.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        with partial.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, target)
    except OSError as error:
        raise InputError(
            f"{option} {target}: expected a file that can be written, found: {error.strerror or error}",
            hint="name a file in a folder that exists and is yours",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
