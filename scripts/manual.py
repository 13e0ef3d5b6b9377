"""edged(1): the manual, from the parsers of the command line. Pure: a parser in, roff (man macros) out."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Final

from edged import __version__
from edged.updates.clock import BUILT

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD: Final = r""".\" Made by scripts/share from the command line's own words: do not edit.
.TH EDGED 1 {date} "edged {version}" "User Commands"
.SH NAME
edged \- image labelling on the edge: camera frames in, labels out over MQTT
.SH SYNOPSIS
.B edged
.I COMMAND
.RI [ options ]
.SH DESCRIPTION
A daemon that reads camera frames, labels them with a TFLite model, on an Edge TPU where there is one, and publishes
the labels over MQTT; and what one needs to look after it.
.SH COMMANDS
"""

COMMANDS_HEAD: Final = (
    "Made by `scripts/share` from the command line's own words, which `edged … --help` and `man edged` say too."
)

TAIL: Final = r""".SH EXIT STATUS
0 done; 64 usage; 65 bad image or model; 69 a service is unavailable; 70 internal error; 73 cannot write; 77 no
permission; 78 configuration; 130 and 143 ended by a signal.
.B edged doctor
ends with 0 where all is well and 1 where it has found something.
.SH ENVIRONMENT
.TP
.B EDGED_CONFIG
The configuration, where no
.B \-c
names one.
.TP
.B EDGED_REGISTRY_PASSPHRASE
The passphrase of a registry's keys, where no
.B \-\-passphrase\-file
names one.
.TP
.B NO_COLOR
Where it is set, nothing is coloured.
.SH FILES
.TP
.I /etc/edged/edged.yaml
The configuration.
.TP
.I /var/lib/edged
The state: models, settings, events that wait.
.SH SEE ALSO
.BR mosquitto_sub (1),
.BR systemctl (1)
"""


def manual(parser: argparse.ArgumentParser) -> str:
    """The page."""
    body = "".join(_command(name, command) for name, command in commands(parser))
    return HEAD.format(date=f"{BUILT:%Y-%m-%d}", version=__version__) + body + TAIL


def commands(parser: argparse.ArgumentParser, prefix: str = "edged") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that does something, by all of its words, in the order of the help."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    if not groups:
        yield prefix, parser
    for group in groups:
        for name, command in group.choices.items():
            yield from commands(command, f"{prefix} {name}")


def _command(name: str, parser: argparse.ArgumentParser) -> str:
    actions = [action for action in parser._actions if action.help != argparse.SUPPRESS]  # noqa: SLF001  no other way
    options = [action for action in actions if action.option_strings and action.dest != "help"]
    words = [action for action in actions if not action.option_strings]
    shown = [name, *(["[options]"] if options else []), *(_metavar(action) for action in words)]
    lines = [f".SS {escape(' '.join(shown))}", escape(parser.description or "")]
    for action in (*words, *options):
        lines += [".TP", _terms(action), escape(_help(action, name))]
    if parser.epilog:
        lines += [".PP", ".nf", escape(parser.epilog.strip()), ".fi"]
    return "\n".join(lines) + "\n"


def _help(action: argparse.Action, name: str) -> str:
    text = action.help or ""
    return text % {**vars(action), "prog": name} if "%(" in text else text


def _terms(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"\\fI{escape(_metavar(action))}\\fR"
    value = "" if action.nargs == 0 else f" \\fI{escape(_metavar(action))}\\fR"
    return ", ".join(f"\\fB{escape(option)}\\fR{value}" for option in action.option_strings)


def _metavar(action: argparse.Action) -> str:
    name = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper())
    text = " ".join(name) if isinstance(name, tuple) else name
    match action.nargs:
        case "*" | argparse.REMAINDER:
            return f"[{text}]..."
        case "+":
            return f"{text}..."
        case "?":
            return f"[{text}]"
        case _:
            return text


def escape(text: str) -> str:
    """Text as roff takes it: no line is a request, every hyphen is one that can be copied, nothing is beyond ASCII."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"(?m)^(?=[.'])", r"\\&", text)
    text = re.sub(r"\n{2,}", "\n\\\\&\n", text.strip("\n"))
    return "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in text)


def markdown(parser: argparse.ArgumentParser) -> str:
    """The same as a page of the documentation."""
    parts = ["# Commands", COMMANDS_HEAD]
    for name, command in commands(parser):
        actions = [action for action in command._actions if action.help != argparse.SUPPRESS]  # noqa: SLF001  as above
        words = [action for action in actions if not action.option_strings]
        options = [action for action in actions if action.option_strings and action.dest != "help"]
        shown = [name, *(["[options]"] if options else []), *(_metavar(action) for action in words)]
        parts.append(f"## {name}\n\n`{' '.join(shown)}`\n\n{command.description or ''}")
        rows = [
            f"| {_cell(action)} | {_help(action, name).replace('|', chr(92) + '|')} |" for action in (*words, *options)
        ]
        if rows:
            parts.append("\n".join(["| word | what |", "|---|---|", *rows]))
        if command.epilog:
            parts.append(f"```text\n{command.epilog.strip()}\n```")
    return "\n\n".join(parts) + "\n"


def _cell(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 or not action.option_strings else f" {_metavar(action)}"
    terms = action.option_strings or [_metavar(action)]
    return ", ".join(f"`{term}{value}`" for term in terms).replace("|", "\\|")
