"""What a model asks of the device that takes it: `edged: ">=0.2,<2"`, `machine: "aarch64,x86_64"`.

A key that a device does not know is one that it does not meet: an older device leaves alone what it cannot judge.
"""

from __future__ import annotations

import platform
import re
from typing import TYPE_CHECKING, Final

from edged import __version__
from edged.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_COMPARISON: Final = re.compile(r"(>=|<=|==|>|<)\s*([0-9]{1,9}(?:\.[0-9]{1,9}){0,3})")
_MACHINES: Final = re.compile(r"[A-Za-z0-9_]+(?:\s*,\s*[A-Za-z0-9_]+)*")
_PLACES: Final = 4


def unmet(requires: Mapping[str, str], *, version: str = __version__, machine: str | None = None) -> str | None:
    """What this device does not meet, as a sentence; None where it meets all.

    Args:
        requires: as it is signed.
        version: edged's.
        machine: the processor's kind, as `uname -m` says it; None: this machine's.
    """
    here = machine or platform.machine()
    for key, asked in requires.items():
        if key == "edged":
            if not _version_fits(version, asked):
                return f"it asks for edged {asked}, here is {version}"
        elif key == "machine":
            if here not in [name.strip() for name in asked.split(",")]:
                return f"it is for {asked}, this machine is {here}"
        else:
            return f"it asks for {key} {asked}, which this edged ({version}) cannot judge"
    return None


def parse_requirement(text: str) -> tuple[str, str]:
    """`KEY=VALUE` as the operator gives it.

    Raises:
        UsageError: no such form, a key that devices do not know, or a value that none could meet.
    """
    key, sign, value = text.partition("=")
    if not sign or key not in _KEYS:
        raise UsageError(f"--requires {text}: give KEY=VALUE; keys: {', '.join(_KEYS)} (such as 'edged=>=0.2')")
    well, example = _KEYS[key]
    if not well(value):
        raise UsageError(f"--requires {text}: {key} is to be such as {example!r}")
    return key, value


def _version_fits(version: str, asked: str) -> bool:
    """Whether the numbers of a version are what is asked; what cannot be read is not met."""
    return _is_comparison(asked) and all(
        _compare(_numbers(version), sign, _numbers(number)) for sign, number in _COMPARISON.findall(asked)
    )


def _compare(one: tuple[int, ...], sign: str, other: tuple[int, ...]) -> bool:
    return {">=": one >= other, "<=": one <= other, "==": one == other, ">": one > other, "<": one < other}[sign]


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers, filled up with zeros: 0.2 and 0.2.0 are the same."""
    match = re.match(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,3}", version)
    numbers = [int(part) for part in match[0].split(".")] if match else []
    return tuple(numbers + [0] * (_PLACES - len(numbers)))


def _is_comparison(text: str) -> bool:
    return all(_COMPARISON.fullmatch(part.strip()) for part in text.split(","))


_KEYS: Final[Mapping[str, tuple[Callable[[str], bool], str]]] = {
    "edged": (_is_comparison, "edged=>=0.2,<2"),
    "machine": (lambda text: _MACHINES.fullmatch(text) is not None, "machine=aarch64,x86_64"),
}
