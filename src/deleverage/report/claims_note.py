"""What does one read of judged claims? A page that needs nothing else: each claim, its figures, whose count.

What comes in is the content of `deleverage claims --json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deleverage.report import page, style
from deleverage.report.claims import (
    MARKS,
    figure_text,
    measured_text,
    moment_text,
    moments_text,
    plain,
    quantity,
    stated_text,
    true_on_text,
    verdict_text,
)
from deleverage.report.file import write_whole
from deleverage.report.page import Html

Content = Mapping[str, Any]

SECTIONS = ("The answer", "All claims", "Claim by claim", "How a verdict is found", "What the data lacks")

_RULES = (
    ("true", "the measured figure, rounded as the print was, is the stated one"),
    ("true within rounding", "it is within the tolerance: another hour, venue or source of that day"),
    ("overstated, understated", "of the right sign and order of size, but off by what is said"),
    ("false", "of the wrong sign, or off by more than a factor of four"),
    ("arithmetic only", "it follows from other stated figures, of which not all hold"),
    ("one vendor's count", "that vendor published it, and nobody else counted the same"),
    ("not knowable from this data", "not observed, or the interval allows both answers"),
    ("cannot be checked", "it is about the future or about somebody's intention"),
)


def write_note(content: Content, path: str | Path, *, option: str = "path") -> Path:
    """Write the note to ``path`` and return it; the file is there whole or not at all.

    option : the option that named the file, for the message.

    Raises
    ------
    InputError
        it cannot be written there.
    """
    target = Path(path)
    write_whole(target, note(content), option)
    return target


def note(content: Content) -> str:
    """The note as HTML text."""
    claims = content["claims"]
    bodies: tuple[list[str], ...] = (
        [_counts(content)],
        [_overview(claims)],
        [_claim(claim) for claim in claims],
        [
            page.paragraph(
                "Each sentence is measured as of its own day, from what was known then. An interval counts: "
                "where one end of it would make the sentence true and the other not, the data cannot decide. "
                "Over- and understated figures are not called false.",
                of="lead",
            ),
            page.definition(_RULES),
        ],
        [_lacks(claims)],
    )
    parts = [
        page.section(k, title, body)
        for k, (title, body) in enumerate(zip(SECTIONS, bodies, strict=True), start=1)
    ]
    head = page.join(
        [
            page.paragraph("Claims checked", of="eyebrow"),
            page.element("h1", content["title"]),
            page.paragraph(content["about"], of="lead") if content["about"] else "",
            page.paragraph(
                f"{len(claims)} claims · as of {moments_text(claims)} · {content['source']} · "
                f"data to {content['newest_data'][:10]} · deleverage {content['version']}",
                of="facts",
            ),
        ]
    )
    contents = [(f"s{k}", title) for k, title in enumerate(SECTIONS, start=1)]
    return page.document(
        f"{content['title']}: claims checked",
        "Each figure beside the data",
        contents,
        page.join([head, *parts]),
    )


def _counts(content: Content) -> Html:
    claims = content["claims"]
    items = []
    for word, number in content["counts"].items():
        ids = [claim["id"] for claim in claims if claim["verdict"] == word]
        strong = page.element("b", f"{MARKS[word]} {number} {word}")
        items.append(
            Html(f"{strong}: {', '.join(page.element('a', name, href=f'#c-{name}') for name in ids)}")
        )
    hold = sum(claim["verdict"] in ("true", "true within rounding") for claim in claims)
    fail = sum(claim["verdict"] in ("overstated", "understated", "false") for claim in claims)
    rest = len(claims) - hold - fail
    lead = f"Of {len(claims)} claims {hold} hold, {fail} do not, and {rest} are not decided."
    return page.join([page.paragraph(lead, of="lead"), page.listing(items)])


def _overview(claims: list[Content]) -> Html:
    rows = [
        [
            # the verdict below the name: three columns fit a phone
            page.join(
                [
                    page.element("a", claim["id"], href=f"#c-{claim['id']}"),
                    page.element("div", f"{MARKS[claim['verdict']]} {verdict_text(claim)}"),
                ]
            ),
            stated_text(claim),
            _measured(claim),
        ]
        for claim in claims
    ]
    return page.table("Stated and measured", ["claim and verdict", "stated", "measured"], rows)


def _measured(claim: Content) -> str:
    text = measured_text(claim)
    if not claim["interval"]:
        return text
    low, high = (quantity(end, claim["unit"]) for end in claim["interval"])
    return f"{text} [{low}, {high}]"


def _claim(claim: Content) -> Html:
    verdict = page.element("b", f"{MARKS[claim['verdict']]} {verdict_text(claim)}")
    pairs: list[tuple[str, str]] = [("verdict", verdict)]
    if claim["stated"] is not None:
        by = "" if claim["stated_by"] == "not said" else f", by the count of {claim['stated_by']}"
        pairs.append(("stated", f"{stated_text(claim)}{by}"))
    if len(claim["figures"]) > 1:
        pairs += [("figure", figure_text(figure)) for figure in claim["figures"]]
    elif claim["measured"] is not None or claim["figures"]:
        what = f", {claim['figures'][0]['means']}" if claim["figures"] else ""
        pairs.append(("measured" if what else "computed", f"{measured_text(claim)}{what}"))
    if claim["interval"]:
        low, high = (quantity(end, claim["unit"]) for end in claim["interval"])
        pairs.append(("interval", f"[{low}, {high}], {claim['interval_of']}"))
    for figure in claim["figures"]:
        if figure["note"]:
            pairs.append(("reading", figure["note"]))
    if claim["true_on"]:
        pairs.append(("true on", true_on_text(claim)))
    for other in claim["rivals"]:
        pairs.append(("others count", f"{other['means']}: {quantity(other['measured'], other['unit'])}"))
    for other in claim["also"]:
        if other["measured"] is not None or other["note"] or other["lacks"]:
            text = f"{other['means']}: {quantity(other['measured'], other['unit'])}"
            if other["measured"] is None:
                text += f" ({other['note'] or other['lacks']})"
            pairs.append(("also", text))
    if claim["happened_next"] is not None:
        pairs.append(("what followed", plain(claim["happened_next"])))
    pairs.append(("by whose count", claim["by_whose_count"]))
    if claim["data"]:
        pairs.append(("data", claim["data"]))
    pairs.append(("as of", moment_text(claim)))
    if claim["note"]:
        pairs.append(("note", claim["note"]))
    head = page.element("h3", claim["text"], id=f"c-{claim['id']}")
    return page.element("div", page.join([head, page.definition(pairs)]), of="claim")


def _lacks(claims: list[Content]) -> Html:
    rows = []
    for claim in claims:
        parts = claim["lacks"] or [
            {"what": figure["note"], "command": ""}
            for figure in claim["figures"]
            if figure["measured"] is None and figure["note"]
        ]
        rows += [[claim["id"], part["what"], page.element("code", part["command"])] for part in parts]
    if not rows:
        return page.paragraph("Nothing that a claim asked for was missing.")
    return page.table(f"What a claim asked for in vain {style.DASH} and what fetches it",
                      ["claim", "missing", "command"], rows, words=3)  # fmt: skip
