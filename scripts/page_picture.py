#!/usr/bin/env python3
"""Makes docs/images/page.png: the demo's page in Chromium after two minutes, the photos blurred, as none is edged's."""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.chromium import Chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURE: Final = Path(__file__).parents[1] / "docs" / "images" / "page.png"
COLOURS: Final = 128
START_S: Final = 60.0


def main() -> int:
    """Write the picture. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/page_picture.py", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, metavar="N", help="before it is taken (%(default)s)")
    args = parser.parse_args()
    with demo() as (page, folder):
        take(page, folder, args.seconds)
    return 0


@contextlib.contextmanager
def demo() -> Iterator[tuple[str, Path]]:
    """A demo at work: its page's address, and a folder for the time being."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        said = Path(temporary) / "said"
        command = [sys.executable, "-m", "edged", "demo"]
        with said.open("wb") as output, subprocess.Popen(command, stdout=output) as process:
            try:
                yield address(said), Path(temporary)
            finally:
                process.terminate()


def address(said: Path) -> str:
    """Where the demo's page is."""
    deadline = time.monotonic() + START_S
    while not (found := re.findall(r"^page +(\S+)$", said.read_text(), re.MULTILINE)):
        if time.monotonic() > deadline:
            raise TimeoutError("the demo did not start")
        time.sleep(0.2)
    page: str = found[0]
    return page


def take(page: str, folder: Path, seconds: float) -> None:
    """Open the page, wait, and keep what is to be seen, in few colours."""
    shot = folder / "page.png"
    with Chromium(folder) as browser:
        tab = browser.tab(lambda tab: tab.look(1180, 1000))
        tab.open(page)
        tab.until("document.querySelector('.view > img').naturalWidth > 0", START_S)
        time.sleep(seconds)
        tab.click("[data-minutes='10']")
        tab.run("document.querySelectorAll('.view > img').forEach(image => { image.style.filter = 'blur(16px)' })")
        time.sleep(1)
        tab.run("scrollTo(0, 0)")
        tab.picture(shot, whole=False)
    image = Image.open(shot).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(PICTURE, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size} bytes")


if __name__ == "__main__":
    raise SystemExit(main())
