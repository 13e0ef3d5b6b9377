"""`edged doctor`: what this machine has and lacks."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edged.cli.interrupt import interruptible
from edged.cli.words import add_command
from edged.text import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from edged.doctor.check import Check

FINDINGS: Final = 1
MARKS: Final = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "red"), "absent": ("-", "dim")}
COMMANDS: Final = ("sudo ", "edged ", "echo ", "curl ")
LEAST_WIDTH: Final = 30
PLAIN: Final = {"ok": "ok", "warning": "! ", "problem": "X ", "absent": "- "}

DESCRIPTION = """\
What this machine has and lacks: the TFLite runtime, Edge TPU and its library, the models and their registry, the
cameras and the broker of the configuration, permissions, clock, heat, power and disk; and what to do about each thing
that is not right."""

EPILOG = """\
without -c: the file that $EDGED_CONFIG names, else /etc/edged/edged.yaml; without that, the defaults

examples:
  edged doctor -c edged.yaml
  sudo -u edged edged doctor      as the user that the daemon runs as: permissions are that user's
  edged doctor --json             one JSON object: {"schema", "findings": [{"name", "state", "text", "cure"}]}

states: ✓ ok, ! warning, ✗ problem, - absent (and need not be there)
exit codes: 0 well, 1 warnings or problems (in a script: edged doctor || …), 64 wrong words
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(commands, "doctor", run, "what this machine has and lacks", DESCRIPTION, EPILOG)
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Look at everything and say it. Returns 0, or 1 where somebody should do something."""
    from edged.doctor.configuration import look_at_configuration  # noqa: PLC0415  heavy
    from edged.doctor.machine import Machine  # noqa: PLC0415  as above
    from edged.doctor.run import examine  # noqa: PLC0415  as above

    with interruptible():
        config, checks = look_at_configuration(args.config)
        if sys.stderr.isatty() and not args.json:
            print("looking …", file=sys.stderr, end="\r", flush=True)
        checks += examine(Machine() if config is None else Machine.configured(config))
    if args.json:
        print(json.dumps({"schema": 1, "findings": [asdict(check) for check in checks]}))
    else:
        _print(checks)
    return FINDINGS if any(check.wants_action for check in checks) else 0


def _print(checks: Sequence[Check]) -> None:
    from rich.console import Console  # noqa: PLC0415  slow to import
    from rich.text import Text  # noqa: PLC0415  as above

    console = Console(highlight=False, soft_wrap=True)

    def say(lead: Text, text: str, style: str = "") -> None:
        """A line, wrapped beside its lead in a terminal; but a command is to be copied, and stays whole."""
        whole = not console.is_terminal or text.startswith(COMMANDS)
        line = Text(text, style)
        room = max(LEAST_WIDTH, console.width - lead.cell_len)
        for part in [line] if whole else list(line.wrap(console, room)):
            part.rstrip()
            console.print(Text.assemble(lead, part))
            lead = Text(" " * lead.cell_len)

    width = max(len(check.name) for check in checks)
    marks = _marks(sys.stdout.encoding)
    for check, after in zip_longest(checks, checks[1:]):
        mark, colour = marks[check.state], MARKS[check.state][1]
        lead = Text.assemble((mark, colour), f" {check.name:<{width}}  ")
        indent = Text(" " * lead.cell_len)
        first, *more = printable(check.text, keep="\n").splitlines() or [""]
        say(lead, first)
        for line in more:
            say(indent, line)
        if after is not None and (check.name, check.cure) == (after.name, after.cure):
            continue  # one cure for all of them
        for line in printable(check.cure or "", keep="\n").splitlines():
            say(indent, line, "bold" if check.wants_action else "dim")
    console.print(Text(_sum(checks)))


def _marks(encoding: str) -> dict[str, str]:
    """The marks, or plainer ones where the terminal's encoding has none."""
    marks = {state: mark for state, (mark, _) in MARKS.items()}
    try:
        "".join(marks.values()).encode(encoding)
    except UnicodeEncodeError:
        return dict(PLAIN)
    return marks


def _sum(checks: Sequence[Check]) -> str:
    counts = [
        f"{count} {state}{'s' if count > 1 else ''}"
        for state in ("problem", "warning")
        if (count := sum(check.state == state for check in checks))
    ]
    return " and ".join(counts) if counts else "all is well"
