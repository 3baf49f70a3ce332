"""Check that every relative link of the documentation leads to a file: ``python tools/check_docs.py``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)[^)]*\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def broken_links(page: Path) -> Iterator[str]:
    """Yield ``PAGE: LINK`` for each relative link of ``page`` that leads nowhere."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        path = target.partition("#")[0]
        if (
            path
            and "://" not in path
            and not path.startswith("mailto:")
            and not (page.parent / path).exists()
        ):
            yield f"{page.relative_to(ROOT)}: {target}"


def main() -> None:
    """Print every broken link; exit with 1 when there is one."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [line for page in sorted(pages) for line in broken_links(page)]
    print("\n".join(broken) or f"{len(pages)} pages, every relative link leads to a file")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
