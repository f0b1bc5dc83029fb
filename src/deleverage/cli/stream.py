"""Where does what a command prints go? Answers to stdout; progress and notes to stderr."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import typer

from deleverage.cli.failure import PIPE_CLOSED


def emit(text: str) -> None:
    """Print an answer on stdout; end quietly if its reader went away."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.stdout.fileno())  # the interpreter flushes once more at its end
        raise typer.Exit(PIPE_CLOSED) from None


def emit_json(content: object) -> None:
    """Print plain values as JSON on stdout."""
    from deleverage.experiment.output import to_json

    emit(to_json(plain(content)))


def plain(value: Any) -> Any:
    """Dataclasses, named tuples, paths and mappings as values that JSON knows."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def columns() -> int:
    """Width of the terminal; 100 where stdout is none."""
    return shutil.get_terminal_size((100, 24)).columns


def has_colour() -> bool:
    """True when stdout is a terminal that shows colours and nobody asked for none."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def note(text: str) -> None:
    """Print a line for people on stderr."""
    print(text, file=sys.stderr, flush=True)


class Progress:
    """How far a command is: one line that is rewritten on a terminal, some ten lines elsewhere."""

    def __init__(self) -> None:
        self._on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._tenth = -1
        self._width = 0

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show that ``done`` of ``total`` are finished, and what is being done."""
        text = f"{100 * done // total:3d} %  {what}" if total else what
        if self._on_terminal:
            text = text[: shutil.get_terminal_size().columns - 1]
            sys.stderr.write("\r" + text.ljust(self._width))
            sys.stderr.flush()
            self._width = len(text)
        elif total and 10 * done // total != self._tenth:
            self._tenth = 10 * done // total
            note(text)

    def close(self) -> None:
        """Clear the line."""
        if self._on_terminal and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
        self._width = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()
