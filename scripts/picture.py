"""Draws the pictures of the demo and of `edged watch`, from a real run: run it with .venv/bin/python."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from edged.config import MqttConfig
from edged.watch.device_lines import Screen
from edged.watch.devices import Devices
from edged.watch.listener import Listener
from edged.watch.screen import draw

if TYPE_CHECKING:
    from collections.abc import Iterable

LINES: Final = 24
WIDTH: Final = 100
IMAGES: Final = Path(__file__).parent.parent / "docs/images"


def main() -> None:
    """Run the demo for a while; keep what it printed, and what `edged watch` shows of it meanwhile."""
    command = [sys.executable, "-m", "edged", "demo", "--seconds", "14"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        shown: list[str] = []
        for line in demo.stdout or ():
            shown.append(line.rstrip("\n"))
            if match := re.match(r"broker +mqtt://(.+):(\d+)", line):
                devices = Devices()
                listener = Listener(MqttConfig(host=match[1], port=int(match[2])), devices)
                listener.start()
            if len(shown) == LINES:
                view, link = devices.view(), listener.link
                screen = Screen(WIDTH, LINES, time.monotonic(), clock=f"{time.strftime('%H:%M:%S')}")
                save("watch", "edged watch", draw(view, link, screen))
    if demo.returncode != 0:
        sys.exit("the demo failed, and said why above")
    prompt = Text("$ scripts/demo", style="bold green")
    save("demo", "edged demo", [prompt, *map(Text, shown[:LINES])])


def save(name: str, title: str, lines: Iterable[Text]) -> None:
    """Lines of a terminal as a drawing."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in lines:
        console.print(line)
    svg = console.export_svg(title=title)
    IMAGES.mkdir(exist_ok=True)
    # Fonts from elsewhere: any monospace will do.
    (IMAGES / f"{name}.svg").write_text(re.sub(r"@font-face {[^}]*}", "", svg), "utf-8")


if __name__ == "__main__":
    main()
