#!/usr/bin/env python3
"""How soon a page shows live labels and pictures after it is opened, and what it weighs. Prints JSON.

The demo's page in headless Chromium, each time in a browser of its own with nothing kept. "Live" is when the page's own
connection has brought labels, not when the HTML, which holds the last ones, is there.

    scripts/page_first.py --times 10
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Final

from page_picture import demo

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.chromium import Chromium

LIVE: Final = "document.querySelector('#link').innerText === 'Live' && document.querySelector('th[scope=row]')"
PICTURE: Final = "document.querySelector('.view > img').naturalWidth > 0"
WATCH: Final = """(() => {
  const look = () => {
    window.liveAt ??= (LIVE) ? performance.now() / 1000 : undefined;
    window.pictureAt ??= (PICTURE) ? performance.now() / 1000 : undefined;
    if (!window.liveAt || !window.pictureAt) setTimeout(look, 5);
  };
  document.addEventListener("DOMContentLoaded", look);
})()""".replace("(LIVE)", f"({LIVE})").replace("(PICTURE)", f"({PICTURE})")


def main() -> int:
    """Measure and print. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/page_first.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=10, metavar="N", help="how often (%(default)s)")
    args = parser.parse_args()
    live: list[float] = []
    picture: list[float] = []
    received = 0
    with demo() as (page, folder):
        time.sleep(5)  # it labels
        for number in range(args.times):
            place = folder / str(number)
            place.mkdir()
            with Chromium(place) as browser:
                tab = browser.tab(lambda tab: tab.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH))
                tab.open(page)
                tab.until("window.liveAt && window.pictureAt")
                live.append(tab.run("window.liveAt"))
                picture.append(tab.run("window.pictureAt"))
                received = max(received, tab.received)
    print(
        json.dumps(
            {
                "schema": 1,
                "times": args.times,
                "live_s": round(statistics.median(live), 3),
                "live_s_worst": round(max(live), 3),
                "picture_s": round(statistics.median(picture), 3),
                "picture_s_worst": round(max(picture), 3),
                "page_kb": round(received / 1024, 1),
            }
        )
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
