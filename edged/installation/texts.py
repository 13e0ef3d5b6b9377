"""What the installed files say: those of `systemd/`, with this machine's user and program put in, and of `share/`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from edged.errors import UsageError
from edged.resources import data_path

OWN_USER: Final = "edged"
OWN_PROGRAM: Final = "/opt/edged/bin/edged"
# What a unit takes as it is: nothing that is quoted, expanded or separates words there.
PLAIN_PATH: Final = re.compile(r"(/[A-Za-z0-9._+@-]+)+")
PLAIN_NAME: Final = re.compile(r"[a-z_][a-z0-9_-]{0,30}")


@dataclass(frozen=True, slots=True)
class Service:
    """Who runs what.

    Attributes:
        user: the user that the daemon runs as.
        group: the user's own group, which may read the configuration.
        program: the whole path of `edged`.

    Raises:
        UsageError: a name or path that cannot stand in a unit.
    """

    user: str = OWN_USER
    group: str = OWN_USER
    program: str = OWN_PROGRAM

    def __post_init__(self) -> None:
        for name in (self.user, self.group):
            if not PLAIN_NAME.fullmatch(name):
                raise UsageError(f"{name!r} is no name of a user or group: a-z, 0-9, - and _, 31 at most")
        if not PLAIN_PATH.fullmatch(self.program):
            raise UsageError(
                f"{self.program!r} cannot stand in a unit: a whole path of letters, digits and . _ + @ - is needed; "
                "install edged elsewhere, such as in /opt/edged"
            )


def unit(service: Service) -> str:
    """edged.service."""
    text = _replace(_text("edged.service"), f"ExecStart={OWN_PROGRAM} run", f"ExecStart={service.program} run")
    return _replace(text, f"User={OWN_USER}", f"User={service.user}")


def sysusers(service: Service) -> str:
    """sysusers.d/edged.conf: the daemon's own user, or the groups of one that is there already."""
    if service.user == OWN_USER:
        return _text("edged.sysusers")
    text = re.sub(rf"^m {OWN_USER} ", f"m {service.user} ", _text("edged.sysusers"), flags=re.MULTILINE)
    return re.sub(rf"^u {OWN_USER} .*\n", "", text, flags=re.MULTILINE)


def tmpfiles(service: Service) -> str:
    """tmpfiles.d/edged.conf."""
    return re.sub(
        rf"^(\S+ \S+ \S+) (root|{OWN_USER}) {OWN_USER} ",
        lambda found: f"{found[1]} {service.user if found[2] == OWN_USER else found[2]} {service.group} ",
        _text("edged.tmpfiles"),
        flags=re.MULTILINE,
    )


def rules() -> str:
    """The rules of udev: 60-edged.rules."""
    return _text("60-edged.rules")


def configuration() -> str:
    """The commented configuration."""
    return data_path("config/edged.yaml").read_text("utf-8")


def shared(name: str) -> str:
    """One of the files of `share/`: the manual, and the shells' completion."""
    return data_path(f"share/{name}").read_text("utf-8")


def _text(name: str) -> str:
    return data_path(f"systemd/{name}").read_text("utf-8")


def _replace(text: str, line: str, by: str) -> str:
    lines = text.splitlines()
    if lines.count(line) != 1:
        raise AssertionError(f"systemd/edged.service: {line!r} is not there exactly once")
    return "\n".join(by if here == line else here for here in lines) + "\n"
