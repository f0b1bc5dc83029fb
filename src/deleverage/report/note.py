"""What does a run leave for people to read? One HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from deleverage.experiment.answer import Answer
from deleverage.report import page, style, tables, words
from deleverage.report.changes import changes
from deleverage.report.figures import Drawing, draw_all
from deleverage.report.page import Html

SECTIONS = (
    "The answer",
    "The price, with and without liquidations",
    "What was forced, minute by minute",
    "Who absorbed it, and who paid whom",
    "The map against the book",
    "What the fall is made of",
    "Published against simulated",
    "Observed, assumed, fitted",
    "What would change the answer",
    "Provenance",
)


def write_note(answer: Answer, path: str | Path) -> Path:
    """Write the note to ``path`` and return it; the file is there whole or not at all."""
    target = Path(path)
    text = note(answer)
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def note(answer: Answer) -> str:
    """The note as HTML text."""
    summary = answer.summary
    drawings = draw_all(answer)
    numbers = {name: k for k, name in enumerate(drawings, start=1)}

    def show(name: str) -> Html:
        drawing: Drawing | None = drawings.get(name)
        return Html("") if drawing is None else page.figure(numbers[name], drawing)

    bodies: tuple[list[str], ...] = (
        [
            page.listing(words.three_sentences(summary), ordered=True, of="answer"),
            _warnings(summary),
            tables.markets(summary),
        ],
        [
            page.paragraph(
                "The market is built as it stood at the start and run many times. Each run draws its "
                "own news shock, positions and "
                "hidden depth from stated priors; the same draws are run again with mechanisms switched "
                "off. Nothing that happened "
                "later sets any of it.",
                of="lead",
            ),
            show("price"),
            show("price_others"),
        ],
        [
            page.paragraph(
                "A position is closed by force when its margin at the mark price falls below what the "
                "venue requires. Each contract is "
                "counted once, when it is closed.",
                of="lead",
            ),
            show("liquidations"),
            tables.forced(answer),
            show("depth"),
            show("open_interest"),
        ],
        [
            page.paragraph(
                "A forced order goes into the book first, down to the bankruptcy price. What is left is "
                "taken over by the insurance "
                "fund, and where the fund may not or cannot, closed against winners (auto-deleveraging).",
                of="lead",
            ),
            tables.absorbed(summary),
            show("ledger"),
            tables.parties(answer),
            page.paragraph(words.ledger_sentence(summary)),
        ],
        [
            page.paragraph(
                "n(x) compares, at each price below the start, the coins that would be forced out with "
                "the coins that the book absorbs. "
                "Below 1 a shock s ends near s ÷ (1 − n); at 1 each coin sold forces out another. The "
                "tipping distance is the smallest "
                "shock that runs away.",
                of="lead",
            ),
            show("map"),
            tables.tipping(summary),
            show("tipping"),
        ],
        [
            page.paragraph(
                "A share is the Shapley value of a mechanism: its effect on the fall, averaged over "
                "every order in which the mechanisms "
                "can be switched on. First in and last in are the two ends of that order. Mechanical "
                "means liquidations, "
                "auto-deleveraging and the withdrawal of quotes that the cascade caused; news, the "
                "reaction to news and voluntary stops "
                "are not.",
                of="lead",
            ),
            page.paragraph(
                "“Off” for liquidations means that the coins of whoever would be liquidated in that run are "
                "sold evenly over six hours; the row “if never closed” lets those "
                "positions stand instead. The placebo is the same market without leverage, and should be 0.",
                of="lead",
            ),
            show("shares"),
            tables.shares(summary),
            show("share_by_shock"),
        ],
        [
            page.paragraph(
                "Published totals differ by which venues they count, over which hours, and from which "
                "feed. Only figures that count the "
                "same venues as this run are compared. An outside is a finding; it is not tuned away.",
                of="lead",
            ),
            show("published"),
            *tables.published(answer),
        ],
        [tables.figures_lead(answer), *tables.figures(answer)],
        [page.paragraph("In the order of how much they move the result.", of="lead"), *changes(answer)],
        _provenance(summary),
    )
    market = summary["markets"][0]
    body = page.join(
        [
            _header(summary),
            *(
                page.section(k, title, pieces)
                for k, (title, pieces) in enumerate(zip(SECTIONS, bodies, strict=True), start=1)
            ),
        ]
    )
    contents = [(f"s{k}", f"{k}  {title}") for k, title in enumerate(SECTIONS, start=1)]
    return page.document(
        f"{summary.get('title') or summary['scenario']}: how much was mechanical",
        words.mechanical_sentence(summary, market),
        contents,
        body,
    )


def _header(summary: dict[str, Any]) -> Html:
    market = summary["markets"][0]
    share = summary["mechanical_share"][market]
    interval = words.whole_interval(share)
    strip: Html = Html("")
    if interval is not None:
        strip = page.scale(
            interval[0],
            share["mean"],
            interval[1],
            f"{words.share_text(share)} on a scale from 0 to 100 percent",
        )
    mean, band = words.share_text(share).partition(" [")[::2]
    big = page.element(
        "div",
        page.join(
            [
                page.safe(mean if interval is not None else "not computed"),
                page.element("span", f"[{band} over the priors" if band else "", of="iv"),
                page.element("span", f"{words.error_text(share)} Monte Carlo", of="iv")
                if interval is not None
                else "",
            ]
        ),
        of="big",
    )
    # the sentence without its figure, which stands beside it in large type
    said = words.mechanical_sentence(summary, market).split(f": {words.share_text(share)}")
    sentence = said[0] + (said[1] if len(said) > 1 else "")
    facts = [
        f"scenario {summary['scenario']}",
        ", ".join(summary["markets"]),
        f"{style.day(summary['start'])}, {style.clock(summary['start'])} to "
        f"{style.clock(summary['end'])} UTC",
        f"{summary['seeds']} seeds",
        f"{style.number(summary['accounts'])} accounts",
    ]
    return page.element(
        "header",
        page.join(
            [
                page.paragraph("deleverage · note", of="eyebrow"),
                page.element("h1", summary.get("title") or summary["scenario"]),
                page.paragraph(" · ".join(facts), of="facts"),
                page.element(
                    "div",
                    page.join(
                        [big, page.element("div", page.join([page.paragraph(sentence, of="say"), strip]))]
                    ),
                    of="hero",
                ),
            ]
        ),
    )


def _warnings(summary: dict[str, Any]) -> Html:
    found = words.warnings(summary)
    if not found:
        return Html("")
    return page.element(
        "div",
        page.join(page.paragraph(page.join([page.element("b", "Note."), page.safe(text)])) for text in found),
        of="warning",
        role="note",
    )


def _provenance(summary: dict[str, Any]) -> list[str]:
    known = summary.get("provenance") or {}
    pairs = [
        ("program", f"{known.get('program', 'deleverage')} {known.get('version', '')}"),
        ("scenario", f"{summary['scenario']}, sha256 {known.get('scenario_sha256', style.MISSING)}"),
        ("figures", f"sha256 {known.get('figures_sha256', style.MISSING)}"),
        ("seed", f"{summary['seed']}, {summary['seeds']} draws"),
        (
            "size",
            f"{style.number(summary['accounts'])} accounts, {style.number(summary['steps'])} steps, "
            f"{style.duration(summary.get('wall_s'))}",
        ),
        ("packages", _flat(known.get("packages")) or style.MISSING),
        ("data", _flat(known.get("data")) or "embedded figures only"),
        ("ledger", words.ledger_sentence(summary)),
    ]
    pieces: list[str] = []
    if known.get("command"):
        pieces += [
            page.paragraph("This command makes the same tables again:"),
            _command(str(known["command"])),
        ]
    return [*pieces, page.definition(pairs)]


def _command(command: str) -> Html:
    """A command that folds between its words and never inside `--option`."""
    return page.element(
        "pre",
        page.element(
            "code", Html(" ".join(page.element("span", word, of="mark") for word in command.split(" ")))
        ),
    )


def _flat(value: Any) -> str:
    """Provenance of any shape as one line of text."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_flat(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return "; ".join(_flat(item) for item in value)
    return str(value)
