"""Are the sentences of a file true? Each claim is measured, judged, and told with whose count says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from deleverage.claims.form import Claim, ClaimsFile, Figure, Kind, end_ns, number_of
from deleverage.claims.read import Source, check_unit, find_text, read_claims
from deleverage.claims.values import Measuring, Subjects, Value, newest_ns
from deleverage.claims.verdict import HOLDS, Judged, Stated, Verdict, combine, follows, judge, one_count
from deleverage.claims.when import Otherwise, Seen, all_true_on, true_on
from deleverage.data.lake.times import iso
from deleverage.data.obtain import command_for
from deleverage.errors import InputError, MissingDataError
from deleverage.measure.asof import DAY_NS, Remembered, Tables
from deleverage.measure.measure import Measure

Progress = Callable[[int, int, str], None]
Happened = Callable[[Tables, int, int, float], Any]
"""What followed a moment: (tables, at_ns, horizon [days], floor [share]) to words or plain values."""


OWN_RUN = ": the engine runs its own eight seeds, which takes minutes; --run DIR takes a stored run"
"""What progress says of a claim that no stored run answers; then it tells of the draws of that run."""


@dataclass(frozen=True)
class Part:
    """One stated figure of a claim beside the measured one."""

    figure: Figure
    value: Value
    judged: Judged
    otherwise: Otherwise | None = None


@dataclass(frozen=True)
class Checked:
    """A claim with its verdict.

    parts : its figures; also, rivals : what else was measured; computed : the figure of an arithmetic claim
    as it follows from the stated ones; happened : what followed, where the lake knows it; otherwise : another
    day on which all its figures would have held.
    """

    claim: Claim
    at_ns: int
    judged: Judged
    parts: tuple[Part, ...] = ()
    also: tuple[Value, ...] = ()
    rivals: tuple[Value, ...] = ()
    computed: float | None = None
    happened: Any = None
    otherwise: Otherwise | None = None

    @property
    def lead(self) -> Part | None:
        """The figure that decided, else the first."""
        decided = [part for part in self.parts if part.judged == self.judged]
        failing = [part for part in self.parts if part.judged.verdict not in HOLDS]
        return next(iter([*decided, *failing, *self.parts]), None)


@dataclass(frozen=True)
class CheckedFile:
    """All claims of a file, in its order."""

    file: str
    read: ClaimsFile
    claims: tuple[Checked, ...]
    newest_ns: int

    @property
    def any_false(self) -> bool:
        """True when a verdict is 'false'; over- and understated figures are not."""
        return any(claim.judged.verdict is Verdict.FALSE for claim in self.claims)

    def nothing_measured(self) -> MissingDataError | None:
        """The error where figures were asked for and the lake had none of them."""
        values = [part.value for claim in self.claims for part in claim.parts]
        lacking = next((value for value in values if value.lacks), None)
        if lacking is None or any(value.value is not None for value in values):
            return None
        return MissingDataError(
            f"{self.file}: expected data for at least one claim, found none; the first: {lacking.lacks}",
            hint=lacking.command,
        )


def check(
    claims: str | Path,
    source: Tables,
    *,
    measures: Mapping[str, Measure] | None = None,
    run: str | Path | None = None,
    at_ns: int | None = None,
    today: date | None = None,
    happened: Happened | None = None,
    progress: Progress | None = None,
) -> CheckedFile:
    """Read a file of claims, measure each, and judge it.

    Parameters
    ----------
    claims : name of embedded claims, or path of a TOML file.
    source : a lake, or frames.
    measures : by name; all of the program by default.
    run : folder of a stored run (`deleverage run ... --out DIR`) for what the engine answers; without it such
        a claim starts a run of its own.
    at_ns : judge all as of this moment [ns UTC] instead of their own dates.
    today : no claim may be dated later; None where the caller has no clock.
    happened : what followed a moment, for claims with an outcome.
    progress : called with (claims done, claims, which).

    Raises
    ------
    InputError
        the file is not usable: file, line, key, expected, found.
    MissingDataError
        a claim is dated after the newest data of the lake.
    """
    known = _all_measures() if measures is None else measures
    text, file = find_text(claims)
    read, lines = read_claims(text, file, known, today=today)
    newest = newest_ns(source)
    for number, claim in enumerate(read.claim):
        _check_newest(read, claim, number, lines, newest, at_ns)
    assert newest is not None  # said by _check_newest
    given = {"attribution": {"run": str(run)}} if run is not None else {}
    measuring = Measuring(Remembered(source), known, given)
    judging = _Judging(read, lines, measuring, newest + DAY_NS, at_ns, happened, source)
    done: dict[str, Checked] = {}
    later = [claim for claim in read.claim if claim.kind is Kind.ARITHMETIC]
    order = [claim for claim in read.claim if claim.kind is not Kind.ARITHMETIC] + later
    if run is not None:  # a folder that is no run is told before the work
        order.sort(key=lambda claim: not _wants_run(claim))
    for count, claim in enumerate(order):
        if progress is not None:
            own_run = run is None and _wants_run(claim)
            progress(count, len(order), f"{claim.id}{OWN_RUN if own_run else ''}")
        done[claim.id] = judging.claim(claim, done)
    if progress is not None:
        progress(len(order), len(order), "all claims")
    return CheckedFile(file, read, tuple(done[claim.id] for claim in read.claim), newest)


class _Judging:
    """One claim after the other."""

    def __init__(
        self,
        read: ClaimsFile,
        lines: Source,
        measuring: Measuring,
        last_ns: int,
        at_ns: int | None,
        happened: Happened | None,
        source: Tables,
    ) -> None:
        self._read, self._lines, self._measuring = read, lines, measuring
        self._last_ns, self._at_ns, self._happened, self._source = last_ns, at_ns, happened, source
        self._numbers = {claim.id: number for number, claim in enumerate(read.claim)}

    def claim(self, claim: Claim, done: Mapping[str, Checked]) -> Checked:
        """Measure and judge it."""
        at_ns = self._read.at_of(claim) if self._at_ns is None else self._at_ns
        also = tuple(self._value(claim, "also", k, at_ns) for k in range(len(claim.also)))
        match claim.kind:
            case Kind.FUTURE | Kind.INTENTION:
                found = Checked(claim, at_ns, Judged(Verdict.NO_CHECK), also=also)
                return replace(found, happened=self._what_followed(claim, at_ns))
            case Kind.ARITHMETIC:
                return self._arithmetic(claim, at_ns, also, done)
            case _:
                return self._measured(claim, at_ns, also)

    def _measured(self, claim: Claim, at_ns: int, also: tuple[Value, ...]) -> Checked:
        parts = []
        for k, figure in enumerate(claim.figure):
            value = self._value(claim, "figure", k, at_ns)
            if value.unit:
                check_unit(
                    claim, figure, value.unit, ("claim", self._numbers[claim.id], "figure", k), self._lines
                )
            judged = judge(figure.as_stated(), value.value, *_doubt(figure, value))
            parts.append(Part(figure, value, judged, self._when(claim, figure, judged, at_ns)))
        rivals = tuple(self._value(claim, "rival", k, at_ns) for k in range(len(claim.rival)))
        judged = combine([part.judged for part in parts])
        if claim.one_vendor and parts[0].value.value is not None:
            stated = claim.figure[0].as_stated()
            judged = one_count(judged, [judge(stated, rival.value) for rival in rivals])
        found = Checked(claim, at_ns, judged, tuple(parts), also, rivals)
        return replace(found, otherwise=self._when_all(found))

    def _arithmetic(
        self, claim: Claim, at_ns: int, also: tuple[Value, ...], done: Mapping[str, Checked]
    ) -> Checked:
        assert claim.arithmetic is not None and claim.stated is not None  # said by the reader
        first, second = (number_of(done[other].parts[0].figure.stated) for other in claim.arithmetic.of)
        computed = _OPERATIONS[claim.arithmetic.operation](first, second)
        stated = Stated(
            number_of(claim.stated), tolerance=float(claim.tolerance or 0), rounding=float(claim.rounding)
        )
        inputs = [done[other].judged.verdict for other in claim.arithmetic.of]
        return Checked(claim, at_ns, follows(stated, computed, inputs), also=also, computed=computed)

    def _value(self, claim: Claim, name: str, k: int, at_ns: int) -> Value:
        reading = getattr(claim, name)[k]
        try:
            return self._measuring.value(reading, at_ns)
        except Subjects as several:
            raise self._lines.error(
                ("claim", self._numbers[claim.id], name, k, "subject"),
                f"{claim.id}.subject",
                f"one subject of {reading.measure}: {reading.reading}",
                reading.subject or "none",
                f"There are: {several}.",
            ) from None
        except InputError as error:
            if error.context.get("parameter") == "run":  # the caller's, not the file's
                raise
            if self._at_ns is not None:  # the file speaks of its own day; what it names had not come
                return Value(
                    reading.name(), reading.measure, reading.reading, reading.subject or "", at_ns, None,
                    lacks=error.message,
                )  # fmt: skip
            line = self._lines.line(("claim", self._numbers[claim.id], name, k, "parameters"))
            raise InputError(
                f"{self._lines.file}, line {line}, {claim.id}.parameters: {error.message}",
                hint=error.hint,
                file=self._lines.file,
                line=line,
                key=f"{claim.id}.parameters",
            ) from None

    def _when(self, claim: Claim, figure: Figure, judged: Judged, at_ns: int) -> Otherwise | None:
        """Only what a lake says day by day is looked for on other days."""
        if not _failed(judged) or claim.kind is not Kind.MEASURED or not figure.scan or _is_fixed(figure):
            return None
        return true_on(
            figure.as_stated(), at_ns, figure.scan, self._last_ns,
            lambda moment: self._on_another_day(figure, moment), moves=figure.unit in _MOVING,
        )  # fmt: skip

    def _when_all(self, found: Checked) -> Otherwise | None:
        """A day for one figure of several is no day for the claim: the others must hold on it, too."""
        if len(found.parts) == 1:
            return found.parts[0].otherwise
        failed = [part for part in found.parts if _failed(part.judged)]
        lead = found.lead
        if lead is None or not failed or not all(part.otherwise for part in failed):
            return None

        def seen(part: Part, moment: int) -> Seen | None:
            if _is_fixed(part.figure):
                return _seen(part.figure, part.value)
            return self._on_another_day(part.figure, moment)

        day = all_true_on(
            found.at_ns, min(part.figure.scan for part in failed), self._last_ns,
            lambda moment: [(part.figure.as_stated(), seen(part, moment)) for part in found.parts],
        )  # fmt: skip
        if day is None:
            return None
        there = seen(lead, end_ns(date.fromisoformat(day)))
        return None if there is None else Otherwise(day, there[0])

    def _on_another_day(self, figure: Figure, moment: int) -> Seen | None:
        try:
            return _seen(figure, self._measuring.value(figure, moment))
        except InputError:  # its parameters name days that had not come
            return None

    def _what_followed(self, claim: Claim, at_ns: int) -> Any:
        if claim.outcome is None or self._happened is None:
            return None
        try:
            return self._happened(self._source, at_ns, claim.outcome.horizon, float(claim.outcome.floor))
        except MissingDataError as error:
            return error.message


_OPERATIONS: dict[str, Callable[[float, float], float | None]] = {
    "ratio": lambda first, second: first / second if second else None,
    "product": lambda first, second: first * second,
    "sum": lambda first, second: first + second,
    "difference": lambda first, second: first - second,
}


def holds(checked: Checked) -> bool:
    """True when the claim is true, or true within rounding."""
    return checked.judged.verdict in HOLDS


_MOVING = ("share", "USD", "USD/coin")
"""Units of what moves through the day, as a price does."""


def _failed(judged: Judged) -> bool:
    return judged.verdict in (Verdict.OVERSTATED, Verdict.UNDERSTATED, Verdict.FALSE)


def _is_fixed(figure: Figure) -> bool:
    """True where its stretch is fixed: another day says the same."""
    return figure.at is not None or "to" in figure.parameters


def _doubt(figure: Figure, value: Value) -> tuple[float | None, float | None]:
    return (value.low, value.high) if figure.interval == "error" else (None, None)


def _seen(figure: Figure, value: Value) -> Seen | None:
    return None if value.value is None else (value.value, *_doubt(figure, value))


def _wants_run(claim: Claim) -> bool:
    return any(figure.measure == "attribution" for figure in claim.figure)


def _all_measures() -> Mapping[str, Measure]:
    from deleverage.experiment.measures import ALL

    return ALL


def _check_newest(
    read: ClaimsFile, claim: Claim, number: int, lines: Source, newest: int | None, at_ns: int | None
) -> None:
    moment = read.at_of(claim) if at_ns is None else at_ns
    if newest is not None and moment <= newest + DAY_NS:
        return
    start = moment - DAY_NS if newest is None else newest
    command = command_for("candles", start_ns=start // DAY_NS * DAY_NS, end_ns=moment)
    line = lines.line(("claim", number, "date") if claim.date else ("as_of",))
    what = "no data" if newest is None else f"data up to {iso(newest)}"
    raise MissingDataError(
        f"{lines.file}, line {line}, {claim.id}: expected data up to {iso(moment)}, the moment of the claim; "
        f"the lake has {what}",
        hint=f"fetch what is missing, for instance `{command}`, or judge as of an earlier day with --at",
        table="candles",
        start_ns=start,
        end_ns=moment,
        command=command,
    )


__all__ = ["Checked", "CheckedFile", "Part", "check", "end_ns", "holds"]
