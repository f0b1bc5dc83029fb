"""What does a command that fails say, and with which exit code does it end?"""

from __future__ import annotations

import os
import sys
import traceback

from typer.exceptions import TyperException

from deleverage.errors import EXIT_INTERNAL, DeleverageError, InternalError, RunError, exit_code

BAD_INPUT = 2
STOPPED = 130
"""128 + SIGINT."""
PIPE_CLOSED = 141
"""128 + SIGPIPE: the reader of our output went away."""
DEBUG = "DELEVERAGE_DEBUG"


def report(error: Exception) -> int:
    """Print one clear message for any error of a command; return the exit code."""
    if isinstance(error, MemoryError):
        error = RunError("expected enough memory for the run, found none left", hint="Take fewer --accounts.")
    if isinstance(error, DeleverageError) and not isinstance(error, InternalError):
        _say(f"deleverage: {error}")
        if os.environ.get(DEBUG):
            traceback.print_exception(error)
        return exit_code(error)
    return _our_bug(error)


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
    _say(f"{command}: {message}")
    _say(f"  Try `{command} --help`.")
    return BAD_INPUT


def stopped() -> int:
    """Say that the user stopped the command."""
    _say("\ndeleverage: stopped; nothing was left half written.")
    return STOPPED


def _say(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        pass  # nobody reads our errors any more
