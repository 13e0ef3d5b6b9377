"""Draws README's picture of the demo, from a real run: run it with .venv/bin/python."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

LINES = 24


def main() -> None:
    """Run the demo for a while and keep what it printed as docs/images/demo.svg."""
    shown = subprocess.run(
        [sys.executable, "-m", "edged", "demo", "--seconds", "9"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(Text("$ scripts/demo", style="bold green"))
    for line in shown.splitlines()[:LINES]:
        console.print(Text(line))
    target = Path(__file__).parent.parent / "docs/images/demo.svg"
    target.parent.mkdir(exist_ok=True)
    svg = console.export_svg(title="edged demo")
    target.write_text(re.sub(r"@font-face {[^}]*}", "", svg), "utf-8")  # fonts from elsewhere: any monospace will do


if __name__ == "__main__":
    main()
