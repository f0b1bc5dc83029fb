"""Every exception of the program, and the status codes that kernels return instead of raising.

The class says whose turn it is, and by that the exit code of the command line:

    DeleverageError                  .hint: what to do next; .context: typed fields
    ├─ InputError (also ValueError)  the caller can fix it                        exit 2
    │   ├─ UnitError                 wrong scale, or outside the int64 bounds
    │   ├─ SchemaError               column, dtype or key: name, expected, received
    │   ├─ RulesError                unknown venue or date; tiers not increasing
    │   └─ ScenarioError             file, key, value
    ├─ DataError                     the world is missing something               exit 3
    │   ├─ SourceError               url, status, attempt
    │   │   ├─ SourceUnavailable     no answer that can be used: try again later
    │   │   │   └─ RateLimited       asked for fewer calls; .retry_after_s
    │   │   └─ SourceChanged         a payload no longer parses
    │   └─ MissingDataError          table, start, end, command that fetches it
    ├─ RunError                      the run could not finish; carries its status exit 4
    └─ InternalError                 our bug, never caught                        exit 70
        ├─ LedgerError               money or contracts were not conserved
        └─ TwinMismatch              the readable twin and the kernel disagree
"""

from __future__ import annotations

from enum import IntEnum


class DeleverageError(Exception):
    """Base of every error that the program raises on purpose.

    Parameters
    ----------
    message : what was expected, what was found, and where.
    hint : what to do next, one sentence; empty when there is nothing to add.
    context : typed fields for programs (table, account, step, file, key, ...).
    """

    def __init__(self, message: str, *, hint: str = "", **context: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.context = context

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class InputError(DeleverageError, ValueError):
    """The caller can fix it: a value, a file or a name that is not usable."""


class UnitError(InputError):
    """A quantity of the wrong scale, or outside the bounds within which integers are exact."""


class SchemaError(InputError):
    """A table whose columns, types or keys are not those that were declared."""


class RulesError(InputError):
    """An unknown venue or date, or margin tiers that do not increase."""


class ScenarioError(InputError):
    """A scenario with a key or value that is not usable: says file, key and value."""


class DataError(DeleverageError):
    """The world is missing something: no fault of the caller's input."""


class SourceError(DataError):
    """Something outside that we ask or read: a server, or a file of a vendor."""


class SourceUnavailable(SourceError):
    """No answer that can be used, after several tries: the same may work later."""


class RateLimited(SourceUnavailable):
    """The source asked for fewer calls.

    Parameters
    ----------
    retry_after_s : seconds that it asked to wait, None where it did not say.
    """

    def __init__(
        self, message: str, *, hint: str = "", retry_after_s: float | None = None, **context: object
    ) -> None:
        super().__init__(message, hint=hint, retry_after_s=retry_after_s, **context)
        self.retry_after_s = retry_after_s


class SourceChanged(SourceError):
    """A payload that no longer parses as it was documented."""


class MissingDataError(DataError):
    """A table, or a stretch of it, that is not there; the hint names the command that fetches it."""


class RunError(DeleverageError):
    """The run could not finish; ``context['status']`` holds the kernel's status."""


class InternalError(DeleverageError):
    """A bug of ours. Never caught inside the program."""


class LedgerError(InternalError):
    """Money or contracts were not conserved."""


class TwinMismatch(InternalError):
    """The readable twin and the kernel disagree."""


class Status(IntEnum):
    """What a kernel returns. Events are results worth reading; failures stop the run."""

    OK = 0
    OUT_OF_RANGE = 10
    NOT_CONSERVED = 11
    MAX_ROUNDS = 12
    SWEEP_MISMATCH = 13
    NO_ROOM = 14

    @property
    def is_failure(self) -> bool:
        """True when the run cannot be used."""
        return self >= Status.OUT_OF_RANGE


EXIT_OK = 0
EXIT_CHECK_NOT_MET = 1
EXIT_INTERNAL = 70
_EXITS: tuple[tuple[type[DeleverageError], int], ...] = (
    (InputError, 2),
    (DataError, 3),
    (RunError, 4),
    (InternalError, EXIT_INTERNAL),
)


def exit_code(error: BaseException) -> int:
    """Exit code of the command line for an error (2 input, 3 data, 4 run, 70 our bug)."""
    for kind, code in _EXITS:
        if isinstance(error, kind):
            return code
    return EXIT_INTERNAL
