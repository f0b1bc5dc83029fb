"""What does a collector say of itself? Lines on stderr, for people or as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

LEVELS = ("debug", "info", "warning", "error")


def logger(form: str, level: str = "info", stream: TextIO | None = None) -> Callable[..., None]:
    """A function `log(event, level="info", **fields)`; ``form`` is 'json', 'text' or 'none'."""
    threshold = LEVELS.index(level)

    def log(event: str, level: str = "info", **fields: Any) -> None:
        if form == "none" or LEVELS.index(level) < threshold:
            return
        now = (
            datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )
        if form == "json":
            line = json.dumps({"time": now, "level": level, "event": event, **fields}, default=str)
        else:
            told = (f"  {key}={value}" for key, value in fields.items() if value not in (None, ""))
            line = f"{now} {level:<7} {event}{''.join(told)}"
        try:
            print(line, file=stream or sys.stderr, flush=True)
        except OSError:
            return  # nobody reads our messages any more

    return log
