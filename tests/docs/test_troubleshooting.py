"""Troubleshooting speaks doctor's words: what somebody reads on the device is what they find on the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from support.documents import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# Words of others: the system's, OpenSSL's, the broker's own.
OF_OTHERS = {"Connection refused", "Not authorized", "cannot open shared object file"}
SOURCES = "".join(
    path.read_text("utf-8")
    for folder in ("doctor", "mqtt", "updates", "camera")
    for path in (ROOT / "edged" / folder).glob("*.py")
)
WORDS = re.sub(r'"\s*\n\s*f?"', "", SOURCES)  # a text over two lines of source


def quoted(page: Path) -> list[tuple[str, str]]:
    """What doctor says, by the page: the name of the check, and each piece of its text."""
    found = []
    tables = re.findall(
        r"^\|[^\n]*doctor says[^\n]*\|\n\|[-|]+\|\n((?:\|[^\n]*\n)+)", page.read_text("utf-8"), re.MULTILINE
    )
    for row in "".join(tables).splitlines():
        for span in re.findall(r"`([^`]*…[^`]*)`", row):
            name, *pieces = (piece.strip() for piece in span.split("…"))
            found += [(name, piece) for piece in pieces if piece]
    return found


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "docs/how-to/troubleshooting.md"], ids=lambda page: page.name
)
def test_what_doctor_is_said_to_say_it_says(page: Path) -> None:
    pieces = quoted(page)
    assert len(pieces) > 5
    for name, piece in pieces:
        assert f'"{name}' in SOURCES or f'"{name} ' in SOURCES or not name, f"no check is called {name!r}"
        own = re.sub("|".join(map(re.escape, OF_OTHERS)), "", piece).strip(" :;,")
        assert own in WORDS, f"doctor does not say {own!r} ({name})"
