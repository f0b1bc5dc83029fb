"""Draws the pictures of the README and of answer.md from a real run.

    python docs/make_images.py --lake lake           oct-10 at full size, over the real candles of a lake
    python docs/make_images.py                       the same without candles
    python docs/make_images.py --seeds 4 --accounts 2000 --scenario double-trouble --to /tmp

The pictures are those of the note, as files: `shares.svg` and `price.svg`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import deleverage as dl

IMAGES = Path(__file__).resolve().parent / "images"
LARGEST_BYTES = 200_000


def draw(
    scenario: str, seeds: int | None, accounts: int | None, lake: Path | None, folder: Path
) -> list[Path]:
    """Run and draw; returns the files written. Sizes that are None are those of the scenario."""
    from deleverage.report.figures import draw_all

    answer = dl.run(scenario, seeds=seeds, accounts=accounts, lake=dl.Lake.open(lake) if lake else None)
    drawings = draw_all(answer)
    written = []
    for name in ("shares", "price"):
        text = drawings[name].standalone()
        if len(text.encode()) > LARGEST_BYTES:
            raise SystemExit(f"{name}.svg would be larger than {LARGEST_BYTES:,} bytes")
        path = folder / f"{name}.svg"
        path.write_text(text + "\n", encoding="utf-8")
        written.append(path)
    return written


def main() -> None:
    """Read the options and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", default="oct-10")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--accounts", type=int)
    parser.add_argument("--lake", type=Path)
    parser.add_argument("--to", type=Path, default=IMAGES)
    words = parser.parse_args()
    for path in draw(words.scenario, words.seeds, words.accounts, words.lake, words.to):
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
