"""Where does what a command prints go? Answers to stdout; progress and notes to stderr."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
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


def is_terminal() -> bool:
    """True when a person reads what is printed: stdout is a terminal."""
    return sys.stdout.isatty()


def has_colour() -> bool:
    """True when stdout is a terminal that shows colours and nobody asked for none."""
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def note(text: str) -> None:
    """Print a line for people on stderr; on a terminal it is folded at blanks."""
    if sys.stderr.isatty():
        from textwrap import fill

        width = shutil.get_terminal_size((100, 24)).columns
        text = "\n".join(
            fill(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
            for line in text.splitlines()
        )
    print(text, file=sys.stderr, flush=True)


class Progress:
    """How far a command is: one line that is rewritten on a terminal, some ten lines elsewhere.

    On a terminal the line tells the time every second, also while nothing else is known, and from a tenth on
    about how long is left if the rest takes as long as what is done.
    """

    def __init__(self) -> None:
        self._on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._tenth = -1
        self._width = 0
        self._begun = self._from = time.monotonic()
        self._now = (0, 0, "")
        self._over = threading.Event()
        self._one_at_a_time = threading.RLock()
        self._clock: threading.Thread | None = None

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show that ``done`` of ``total`` are finished, and what is being done; a total of 0 is unknown."""
        with self._one_at_a_time:
            if total != self._now[1] or done < self._now[0]:
                self._from, self._tenth = time.monotonic(), -1
            self._now = (done, total, what)
            if self._on_terminal:
                self._draw()
            elif total and 10 * done // total != self._tenth:
                self._tenth = 10 * done // total
                note(f"{100 * done // total:3d} %  {what}" if total else what)
        if self._on_terminal and self._clock is None and not self._over.is_set():
            self._clock = threading.Thread(target=self._tick, daemon=True)
            self._clock.start()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        with self._one_at_a_time:
            self._clear()
            note(text)

    def close(self) -> None:
        """Clear the line."""
        self._over.set()
        if self._clock is not None:
            self._clock.join()
            self._clock = None
        with self._one_at_a_time:
            self._clear()

    def _draw(self) -> None:
        done, total, what = self._now
        now = time.monotonic()
        text = progress_line(
            done, total, what, now - self._begun, now - self._from, shutil.get_terminal_size().columns - 1
        )
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)

    def _clear(self) -> None:
        if self._on_terminal and self._width:
            room = min(self._width, shutil.get_terminal_size().columns - 1)  # it may be narrower by now
            sys.stderr.write("\r" + " " * room + "\r")
            sys.stderr.flush()
        self._width = 0

    def _tick(self) -> None:
        while not self._over.wait(1.0):
            with self._one_at_a_time:
                self._draw()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()


_ESTIMATED_S = 5.0
_TIME_CELLS = 11


def progress_line(done: int, total: int, what: str, spent_s: float, of_this_s: float, room: int) -> str:
    """` 38 %  1 min 04 s, 2 min left  draw 3 of 8`: what is done, the time, about what is left, what comes.

    spent_s : since the command began [s]; of_this_s : since these ``total`` began [s]; room : cells, into
    which the line is cut at its end.
    """
    text = f"{100 * done // total:3d} %  " if total else ""
    if spent_s >= 1:
        text += f"{_time(spent_s):>{_TIME_CELLS}}  "
    if 0 < done < total and 10 * done >= total and of_this_s >= _ESTIMATED_S:
        text += f"about {_time(of_this_s * (total - done) / done)} left  "
    text += what
    return text if len(text) <= room else text[: max(room - 1, 0)] + "\N{HORIZONTAL ELLIPSIS}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {left:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
