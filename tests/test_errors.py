"""Which error is whose turn, how it reads, and that it survives a process boundary."""

from __future__ import annotations

import pickle

import pytest

from deleverage import errors
from deleverage.errors import DeleverageError, InputError, MissingDataError, ScenarioError, Status, exit_code

EXIT_CODES = {
    "InputError": 2,
    "UnitError": 2,
    "SchemaError": 2,
    "RulesError": 2,
    "ScenarioError": 2,
    "DataError": 3,
    "SourceError": 3,
    "SourceUnavailable": 3,
    "RateLimited": 3,
    "SourceChanged": 3,
    "MissingDataError": 3,
    "RunError": 4,
    "InternalError": 70,
    "LedgerError": 70,
    "TwinMismatch": 70,
}


def every_error() -> dict[str, type[DeleverageError]]:
    return {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, DeleverageError) and kind is not DeleverageError
    }


def test_every_error_has_its_exit_code() -> None:
    assert {name: exit_code(kind("x")) for name, kind in every_error().items()} == EXIT_CODES


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("x"), DeleverageError("x"), ValueError("x")])
def test_what_is_not_declared_is_our_bug(error: Exception) -> None:
    assert exit_code(error) == errors.EXIT_INTERNAL == 70


def test_every_error_is_drawn_in_the_tree() -> None:
    assert errors.__doc__ is not None
    assert [name for name in every_error() if name not in errors.__doc__] == []


def test_input_errors_are_value_errors_and_the_others_are_not() -> None:
    with pytest.raises(ValueError, match="depth"):
        raise ScenarioError("depth must be > 0, found -1")
    assert [
        name
        for name, kind in every_error().items()
        if issubclass(kind, ValueError) != issubclass(kind, InputError)
    ] == []


def test_message_stands_alone_and_the_hint_has_its_own_line() -> None:
    assert str(InputError("seeds must be at least 1, found 0")) == "seeds must be at least 1, found 0"
    error = MissingDataError("no table 'candles'", hint="Import it first.", table="candles", start=5)
    assert str(error) == "no table 'candles'\n  Import it first."
    assert error.message == "no table 'candles'"
    assert error.context == {"table": "candles", "start": 5}


def test_error_crosses_a_process_with_hint_and_context() -> None:
    sent = ScenarioError("bad key", hint="Remove it.", file="a.toml", key="depht")
    received = pickle.loads(pickle.dumps(sent))
    assert type(received) is ScenarioError
    assert str(received) == str(sent)
    assert received.context == {"file": "a.toml", "key": "depht"}


def test_only_failures_stop_a_run() -> None:
    assert not Status.OK.is_failure
    assert [status.name for status in Status if not status.is_failure] == ["OK"]
    assert len({int(status) for status in Status}) == len(list(Status))
    assert all(0 <= status < 128 for status in Status)  # fits the int8 that kernels return
