"""What does `deleverage margin` print? One position, every venue a row; then what each does, step by step.

Built as `report.terminal` is: lines of marked-up pieces, folded first and coloured last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from rich.cells import cell_len

from deleverage.report import style
from deleverage.report.lines import HEAD, SOFT, Line, Piece, bar, flow, fold, render
from deleverage.report.style import THIN
from deleverage.venues.calculator.assess import Assessment
from deleverage.venues.calculator.compare import Column, Comparison
from deleverage.venues.calculator.position import MarginMode, coin_of
from deleverage.venues.calculator.said import press_says
from deleverage.venues.calculator.steps import coins_text, dollars_text, price_text

NOTHING = style.DASH
ASSUMED = "assumed"
"""How the source of a figure begins that was not read from the venue."""
_NARROWEST = 40


@dataclass(frozen=True)
class _Figure:
    """One column of the table: two lines of heading, and when it may go where there is little room."""

    name: str
    unit: str
    key: str
    goes: int = 0
    """0 stays; else the lowest goes first."""


_FIGURES = (
    _Figure("liquidated", "{price}", "liquidation"),
    _Figure("move", "%", "liquidation_move"),
    _Figure("bankrupt", "{price}", "bankruptcy"),
    _Figure("move", "%", "bankruptcy_move", 3),
    _Figure("maintenance", "margin, USD", "maintenance"),
    _Figure("initial", "margin, USD", "initial", 2),
    _Figure("leverage", "at most", "largest"),
    _Figure("tier", "of", "tier", 1),
)


def screen(comparison: Comparison, *, width: int = 100, color: bool = False, steps: bool = True) -> str:
    """The screen as text; with ``color`` it carries the terminal's colour codes.

    Parameters
    ----------
    width : columns of the terminal, used from 40 to 120; with less room the table loses figures that can be
        spared, then turns into blocks.
    steps : false leaves out what each venue would do.
    """
    width = max(_NARROWEST, min(width, 120))
    blocks = [_head(comparison, width), _table(comparison, width), _refusals(comparison, width)]
    blocks.append(_moves(comparison, width))
    for column in comparison.columns if steps else ():
        blocks.append(_steps(column, comparison, width))
    blocks.append(_closing(comparison, width, steps))
    lines: list[Line] = []
    for block in blocks:
        if block:
            lines += [*block, []]
    return render(lines[:-1], width, color)


def _head(comparison: Comparison, width: int) -> list[Line]:
    asked = comparison.position
    value = dollars_text(asked.notional_usd)
    facts = [
        value
        if "entry" in comparison.assumed
        else f"{coins_text(asked.size_coins)} {coin_of(asked.symbol)[0]} at ${_plain(asked.entry)} = {value}",
        "size assumed" if "notional" in comparison.assumed else "",
        f"{asked.mode.value} margin",
        "" if asked.wallet_usd is None else f"wallet {dollars_text(asked.wallet_usd)}",
        f"{dollars_text(asked.extra_margin_usd)} added" if asked.extra_margin_usd else "",
        "" if asked.mark == asked.entry else f"mark ${_plain(asked.mark)}",
        "newest rules known" if comparison.at is None else f"rules of {comparison.at}",
    ]
    leverage = "" if asked.leverage is None else f" {_times(asked.leverage)}"
    name = Piece(f"{asked.symbol} {asked.side.value}{leverage}", HEAD)
    return flow([name, *(Piece(fact) for fact in facts if fact)], width, " · ")


def _plain(price: Fraction) -> str:
    """A price as it was given, up to eight decimals."""
    text = f"{float(price):,.8f}".rstrip("0")
    return text.rstrip(".")


def _times(leverage: Fraction) -> str:
    return f"{float(leverage):.4g}×"


def label(column: Column, comparison: Comparison) -> str:
    """Name of a venue; with its product where it stands twice; with the leverage where another was asked."""
    name, same = column.venue, [other for other in comparison.columns if other.venue == column.venue]
    if len(same) > 1:
        kinds = [None if other.rules is None else other.rules.contract for other in same]
        told = column.rules is not None and kinds.count(column.rules.contract) == 1
        name += f" {column.rules.contract.value if told and column.rules else column.product}"
    return name if column.at_most is None else f"{name} {_times(column.at_most.leverage)}"


# --- the table ----------------------------------------------------------------------------------------


def _table(comparison: Comparison, width: int) -> list[Line]:
    for spared in (0, 1, 2, 3):
        figures = [figure for figure in _FIGURES if figure.goes == 0 or figure.goes > spared]
        lines = _grid(comparison, figures)
        if max(sum(cell_len(piece.text) for piece in line) for line in lines) <= width:
            return lines
    return [line for column in comparison.columns for line in _block(column, comparison, width)]


def _block(column: Column, comparison: Comparison, width: int) -> list[Line]:
    """One venue where a table has no room: its name, and its figures in running lines."""
    cells, price = _cells(column), "% of entry" if "entry" in comparison.assumed else "USD"
    lines: list[Line] = [[Piece(f"  {label(column, comparison)}", "warning" if column.refusal else HEAD)]]
    if column.shown is None:
        return lines
    said = [
        f"liquidated at {cells['liquidation']} {price} ({cells['liquidation_move']}{THIN}%)",
        f"bankrupt at {cells['bankruptcy']} {price} ({cells['bankruptcy_move']}{THIN}%)",
        f"maintenance margin {cells['maintenance']} USD",
        f"initial {cells['initial']} USD",
        f"at most {cells['largest']}",
        f"tier {cells['tier']}",
    ]
    return lines + flow([Piece(text) for text in said], width, " · ", indent=4)


def _unit(figure: _Figure, comparison: Comparison) -> str:
    return figure.unit.format(price="% of entry" if "entry" in comparison.assumed else "USD")


def _grid(comparison: Comparison, figures: Sequence[_Figure]) -> list[Line]:
    """Figures stand right under each other, names left; two lines of heading."""
    rows = [(label(column, comparison), _cells(column), column) for column in comparison.columns]
    first = max(cell_len(name) for name, _, _ in rows)
    widths = {
        figure.key: max(
            cell_len(figure.name),
            cell_len(_unit(figure, comparison)),
            *(cell_len(cells[figure.key]) for _, cells, _ in rows),
        )
        for figure in figures
    }

    def line(name: str, cells: dict[str, str], look: str, name_look: str) -> Line:
        text = "".join(
            "   "[: 2 + (figure.goes == 0)]
            + " " * (widths[figure.key] - cell_len(cells[figure.key]))
            + cells[figure.key]
            for figure in figures
        )
        return [Piece(f"  {name}{' ' * (first - cell_len(name))}", name_look), Piece(text, look)]

    lines = [
        line("", {figure.key: figure.name for figure in figures}, SOFT, SOFT),
        line("", {figure.key: _unit(figure, comparison) for figure in figures}, SOFT, SOFT),
    ]
    for name, cells, column in rows:
        refused = column.refusal is not None
        lines.append(line(name, cells, SOFT if refused else "", "warning" if refused else HEAD))
    return lines


def _cells(column: Column) -> dict[str, str]:
    found = column.shown
    if found is None:
        return {figure.key: NOTHING for figure in _FIGURES}
    long = found.position.side.sign > 0
    usd = found.usd_per_money

    def price(value: Fraction | None) -> str:
        return NOTHING if value is None else price_text(value, up=long)

    return {
        "liquidation": price(found.liquidation_price),
        "liquidation_move": _move(found, found.liquidation_price),
        "bankruptcy": price(found.bankruptcy_price),
        "bankruptcy_move": _move(found, found.bankruptcy_price),
        "maintenance": _money(found.maintenance_margin * usd),
        "initial": _money(found.initial_margin * usd),
        "largest": f"{found.max_leverage}×",
        "tier": f"{found.tier}/{found.tiers}",
    }


def _money(amount: Fraction) -> str:
    return style.number(float(amount), 2 if abs(amount) < 100_000 else 0)


def _move(found: Assessment, price: Fraction | None) -> str:
    """A signed move in percent with its sign, two decimals; three below 1 %."""
    move = found.move(price)
    if move is None:
        return NOTHING
    text = style.number(float(move) * 100, 3 if abs(move) < Fraction(1, 100) else 2)
    return text if text.startswith(style.MINUS) else f"+{text}"


# --- what was refused, and why ------------------------------------------------------------------------


def _refusals(comparison: Comparison, width: int) -> list[Line]:
    lines: list[Line] = []
    for column in comparison.columns:
        refusal, other = column.refusal, column.at_most
        if refusal is None:
            continue
        if other is not None and comparison.position.leverage is not None:
            said = (
                f"{column.venue} does not allow {_times(comparison.position.leverage)} at this size: at most "
                f"{_times(other.leverage)} (rules from {other.rules.valid_from}); its row is for that"
            )
        else:
            said = refusal.message
        lines += fold(f"! {said}", width, "warning", indent=2, hang=2)
    for column in comparison.columns:
        if column.assessment is not None and column.assessment.liquidatable:
            said = f"! {column.venue}: below its maintenance margin at this mark: liquidated at once"
            lines += fold(said, width, "warning", indent=2, hang=2)
    return lines


# --- which move ends it -------------------------------------------------------------------------------


def _moves(comparison: Comparison, width: int) -> list[Line]:
    """Bars of the adverse moves, venues first, then what others say."""
    rows: list[tuple[str, Fraction, str, str]] = []
    for column in comparison.columns:
        found = column.shown
        move = None if found is None else found.move(found.liquidation_price)
        if found is not None and move is not None:
            adverse = -move * found.position.side.sign
            rows.append(
                (label(column, comparison), adverse, "mechanical" if column.assessment else "other", "")
            )
    if not rows:
        return fold("no price above 0 liquidates this position", width, HEAD, indent=2)
    asked = comparison.position
    plain = asked.mode is MarginMode.ISOLATED and asked.mark == asked.entry and not asked.extra_margin_usd
    if plain and asked.leverage is not None:
        rows.append(("1 ÷ leverage", 1 / asked.leverage, "other", "forgets the maintenance margin"))
        pressed = press_says(asked.leverage)
        if pressed is not None:
            rows.append(("the press", pressed, "other", f"said of {_times(asked.leverage)}, November 2025"))
    direction = "fall" if asked.side.sign > 0 else "rise"
    against = "" if asked.mark == asked.entry else " from the mark"
    lines = fold(f"Which {direction}{against} really ends it", width, HEAD, indent=2)
    names = max(cell_len(name) for name, *_ in rows)
    room = max(8, min(30, width - names - 16))
    largest = max(max(move for _, move, *_ in rows), Fraction(1, 10**6))
    for name, move, look, said in rows:
        drawn = bar(float(max(move, Fraction(0)) / largest), room)
        places = 3 if abs(move) < Fraction(1, 100) else 2
        figure = f"{style.number(float(move) * 100, places)}{THIN}%"
        line = [
            Piece(f"  {name}{' ' * (names - cell_len(name))}  "),
            Piece(drawn + " " * (room - cell_len(drawn)), look),
            Piece(f"{figure:>10}"),
        ]
        if said and 2 + names + 2 + room + 10 + 3 + cell_len(said) <= width:
            line.append(Piece(f"   {said}", SOFT))
        lines.append(line)
    return lines


# --- steps --------------------------------------------------------------------------------------------


def _steps(column: Column, comparison: Comparison, width: int) -> list[Line]:
    found = column.shown
    if found is None:
        return []
    rules = found.rules
    facts = [rules.product, f"{rules.contract.value} {found.symbol}", f"rules from {rules.valid_from}"]
    lines = flow(
        [Piece(label(column, comparison), HEAD), *(Piece(fact, SOFT) for fact in facts)],
        width,
        " · ",
        indent=2,
    )
    if not found.steps:
        return [*lines, *fold("no price liquidates this position: nothing to do", width, indent=4)]
    moves = [f"{_move(found, step.price)}{THIN}%" for step in found.steps]
    column_width = max(cell_len(move) for move in moves)
    for number, (step, move) in enumerate(zip(found.steps, moves, strict=True), start=1):
        lead = f"  {number}  {' ' * (column_width - cell_len(move))}{move}  "
        folded = fold(step.does, width - cell_len(lead))
        lines.append([Piece(lead, SOFT), *folded[0]])
        lines += [[Piece(" " * cell_len(lead)), *rest] for rest in folded[1:]]
    return lines


def _tier_source(column: Column) -> str:
    return "" if column.rules is None else column.rules.tier_table(column.symbol).source


def _waterfall_source(column: Column) -> str:
    return "" if column.rules is None else column.rules.sources.get("waterfall", "")


def _closing(comparison: Comparison, width: int, steps: bool) -> list[Line]:
    lines: list[Line] = []
    if "entry" in comparison.assumed:
        lines += fold("no entry given: prices are in percent of entry", width, SOFT, indent=2)
    for part, tell in (("margin tiers", _tier_source), ("steps", _waterfall_source)):
        names = [label(c, comparison) for c in comparison.columns if c.shown and tell(c).startswith(ASSUMED)]
        if names:
            said = f"{part} assumed, not read from the venue: {', '.join(names)} (--json says from where)"
            lines += fold(said, width, SOFT, indent=2)
    if comparison.other_contracts:
        others = ", ".join(comparison.other_contracts)
        lines += fold(f"the other kind of contract, not shown: {others}", width, SOFT, indent=2)
    if not steps:
        lines += fold("--steps says what each venue would do", width, SOFT, indent=2)
    return lines
