"""What does a command that fails say, and with which exit code does it end?"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import traceback
from textwrap import fill
from unicodedata import category

from typer.exceptions import TyperException

from deleverage.errors import (
    EXIT_INTERNAL,
    DataError,
    DeleverageError,
    InputError,
    InternalError,
    RunError,
    exit_code,
)

BAD_INPUT = 2
STOPPED = 130
"""128 + SIGINT."""
PIPE_CLOSED = 141
"""128 + SIGPIPE: the reader of our output went away."""
_NO_RIGHT = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_STORE = re.compile(r"Error performing [A-Z]+ \w+://")
DEBUG = "DELEVERAGE_DEBUG"


def report(error: Exception) -> int:
    """Print one clear message for any error of a command; return the exit code."""
    if isinstance(error, MemoryError):
        error = RunError("expected enough memory for the run, found none left", hint="Take fewer --accounts.")
    error = _of_the_machine(error)
    if isinstance(error, DeleverageError) and not isinstance(error, InternalError):
        _say(_folded(f"deleverage: {error}"))
        if os.environ.get(DEBUG):
            traceback.print_exception(error)
        return exit_code(error)
    return _our_bug(error)


def _of_the_machine(error: Exception) -> Exception:
    """What files, disks and stores refuse, in our words. Polars and delta-rs say it only as text."""
    if isinstance(error, OSError) and error.errno is None and _STORE.search(str(error)):
        said = " ".join(re.sub(r"\x1b\[\d*m|↳", "", str(error)).split())
        return DataError(
            f"expected an object store that does what is asked, found: {said}",
            hint="Check its address, the rights of the keys and its quota; the same command can be repeated.",
        )
    code = error.errno if isinstance(error, OSError) else None
    if code is None and not isinstance(error, DeleverageError):
        found = _OS_ERROR.search(str(error))
        code = int(found[1]) if found else None
    if code not in _NO_RIGHT | _NO_ROOM:
        return error
    path = getattr(error, "filename", None)
    said = f"'{path}': {os.strerror(code)}" if path else str(error).partition("\n")[0]
    if code in _NO_RIGHT:
        return InputError(
            f"expected to be allowed to read or write what the command needs, found {said}",
            hint="Change the rights of the file or folder, or give another one.",
        )
    return RunError(
        f"expected room on the disk for what is written, found {said}",
        hint="Free some room, or choose another disk, and run the same again.",
    )


def _our_bug(error: Exception) -> int:
    _say(f"deleverage: this is our bug, not yours: {type(error).__name__}: {error}")
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
        _say("  Please report it with the command line and the lines above.")
    else:
        _say(f"  Please report it with the command line and what {DEBUG}=1 prints when you repeat it.")
    return EXIT_INTERNAL


def usage(error: TyperException) -> int:
    """Print what is wrong with the command line, and where its help is."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "deleverage"
    message = error.format_message().replace("Value error, ", "")
    if message.startswith("Usage: "):  # nothing was asked for: the message is the whole help
        _say(message)
        return BAD_INPUT
    _say(_folded(f"{command}: {message}"))
    _say(f"  Try `{command} --help`.")
    return BAD_INPUT


def stopped() -> int:
    """Say that the user stopped the command."""
    _say("\ndeleverage: stopped; nothing was left half written.")
    return STOPPED


def _folded(text: str) -> str:
    """On a terminal, sentences folded to its width; a command stays in one line, to be copied."""
    if not sys.stderr.isatty():
        return text
    width = max(shutil.get_terminal_size().columns - 1, 20)
    return "\n".join(
        line
        if line.startswith("  deleverage ")
        else fill(
            line, width, subsequent_indent="    " if line.startswith("  ") else "  ",
            break_long_words=False, break_on_hyphens=False,
        )
        for line in text.split("\n")
    )  # fmt: skip


def _say(text: str) -> None:
    # What comes out of data must not rule the terminal.
    text = "".join(ascii(c)[1:-1] if category(c) == "Cc" and c not in "\n\t" else c for c in text)
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        pass  # nobody reads our errors any more
