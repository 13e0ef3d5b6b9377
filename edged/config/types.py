"""The kinds of value that a configuration holds: durations, names, sources, paths; and how to hide what is secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationInfo

from edged.config.wording import allowed, problem

SourceKind = Literal["picamera", "v4l2", "rtsp", "http", "path"]

RESERVED: Final = ("status", "model", "update", "health", "result", "inference")
"""Names that a camera cannot have: they are topics of the device."""

HIGHEST_PORT: Final = 65535

LONGEST: Final = 8760 * 3600.0
"""The longest duration: a year. More is a slip of the pen, and overflows the timers below us."""


def slug(text: str) -> str:
    """`text` in lower case, each run of characters other than [a-z0-9] turned into one `-`, none at the ends."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


_SECRET_IN_PATH = re.compile(r"(?i)((?:user|login|pass|pwd|token|key|secret|auth)[a-z_]{0,20}=)[^&/#;]*")


def redact(address: str) -> str:
    """An address without its secrets, for logs, pages and dumps.

    Hidden: user and password (up to the last `@`, as people leave `/` and `@` unescaped in passwords), the whole
    query, and `password=…` within a path, as some cameras have it. Any other address comes back as it is.
    """
    scheme, mark, rest = address.partition("://")
    if not mark:
        user = _user_without_scheme(address)
        return f"***@{address[len(user) + 1 :]}" if user else address
    _, at, host = rest.rpartition("@")
    host, question, _ = host.partition("?")
    host = _SECRET_IN_PATH.sub(r"\1***", host)
    return f"{scheme}://{'***@' if at else ''}{host}{'?***' if question else ''}"


def _user_without_scheme(address: str) -> str:
    """`user:password` where a path begins with them and an `@`; else nothing."""
    user = address.partition("/")[0].rpartition("@")[0]
    return user if ":" in user else ""


def _seconds(value: object) -> object:
    units = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|)\s*", value)
        if match is None:
            raise ValueError("not a duration")
        return float(match[1]) * units[match[2]]
    return value


_DURATION = "a duration up to 8760h, such as 500ms, 5s, 10m or 1h"
Duration = Annotated[
    float, BeforeValidator(_seconds), Field(ge=0, le=LONGEST, allow_inf_nan=False), allowed(f"{_DURATION}; 0 too")
]
PositiveDuration = Annotated[
    float, BeforeValidator(_seconds), Field(gt=0, le=LONGEST, allow_inf_nan=False), allowed(f"{_DURATION}; not 0")
]
KeepAlive = Annotated[
    float, BeforeValidator(_seconds), Field(ge=1, le=65535), allowed("a duration from 1s to 65535s, such as 15s")
]
"""Seconds; MQTT has 16 bits for it."""

Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), allowed("a number between 0 and 1")]


def _not_reserved(name: str) -> str:
    if name in RESERVED:
        raise ValueError("reserved")
    return name


_NAME = "1 to 64 lower-case letters, digits, - or _"
DeviceName = Annotated[str, Field(pattern=r"\A[a-z0-9_-]{1,64}\z"), allowed(_NAME)]
CameraName = Annotated[
    str,
    Field(pattern=r"\A[a-z0-9_-]{1,64}\z"),
    AfterValidator(_not_reserved),
    allowed(f"{_NAME}; not {', '.join(RESERVED[:-1])} or {RESERVED[-1]}"),
]
ModelName = Annotated[
    str,
    Field(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,127}\z"),
    allowed("a name of letters, digits, '.', '-' or '_'; for a file or folder write path: instead"),
]
Text = Annotated[str, Field(min_length=1), allowed("text")]
TopicPrefix = Annotated[
    str, Field(pattern=r"\A[^+#/\s]+(/[^+#/\s]+)*\z"), allowed("a topic without +, #, spaces, or / at an end")
]


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the day, in local time. It may run over midnight."""

    start: time
    end: time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


def _window(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([0-9]{1,2}):([0-9]{2})\s*-\s*([0-9]{1,2}):([0-9]{2})\s*", value)
    if match is None:
        raise ValueError("not a window")
    first, second, third, fourth = map(int, match.groups())
    return Window(time(first, second), time(third, fourth))


HourWindow = Annotated[
    Window, BeforeValidator(_window), PlainSerializer(str), allowed("a part of the day, such as 02:00-05:00, or null")
]


def _in_folder(value: object, info: ValidationInfo) -> Path:
    """`~` is the user's home; anything else relative is meant from the configuration file's folder."""
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("no path")
    try:
        path = Path(value).expanduser()
    except RuntimeError as error:  # no such user
        raise ValueError(str(error)) from None
    folder: Path | None = (info.context or {}).get("folder")
    return path if folder is None else folder / path


def _readable(path: Path) -> Path:
    must = "a file that edged may read; a relative one is looked for beside the configuration"
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise problem(f"the file cannot be read: {error.strerror}", must) from None


FilePath = Annotated[Path, BeforeValidator(_in_folder), allowed("the path of a file or folder")]
ReadableFile = Annotated[FilePath, AfterValidator(_readable)]


def source_kind(address: str) -> SourceKind:
    """Which kind of source an address names. ValueError for an unknown kind."""
    if re.fullmatch(r"picamera(:[0-9]{1,3})?", address):
        return "picamera"
    if re.match(r"v4l2:(/.|[0-9]{1,3}\Z)", address):
        return "v4l2"
    if re.match(r"rtsps?://[^/]", address):
        return "rtsp"
    if re.match(r"https?://[^/]", address):
        return "http"
    if not address or "://" in address or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", address):
        raise ValueError("unknown kind of source")
    return "path"


def _check_port(address: str) -> None:
    rest = address.partition("://")[2]
    # The host is what follows the `@` before the path; or the last one, as people leave `/` and `@` in passwords.
    readings = re.split("[/?#]", rest, maxsplit=1)[0].rpartition("@")[2], rest.rpartition("@")[2]
    if all(map(_has_wrong_port, readings)):
        raise problem("the port after the host is none", f"a number from 1 to {HIGHEST_PORT}, or no port")


def _has_wrong_port(host: str) -> bool:
    match = re.match(r"(?:\[[^\]]*\]|[^:/?#\[]*):([^/?#]+)", host)
    return match is not None and not (re.fullmatch("[0-9]{1,5}", match[1]) and 0 < int(match[1]) <= HIGHEST_PORT)


def _source(value: str, info: ValidationInfo) -> str:
    kind = source_kind(value)
    if kind in {"rtsp", "http"}:
        _check_port(value)
    if kind != "path":
        return value
    if _user_without_scheme(value):
        raise ValueError("rtsp:// is missing")
    return str(_in_folder(value, info))


SourceAddress = Annotated[
    str,
    AfterValidator(_source),
    PlainSerializer(redact),
    allowed(
        "picamera[:N], v4l2:/dev/video0 or v4l2:N, rtsp://…, http(s)://…, or the path of a file or folder; "
        "./ before a path with a colon in its name"
    ),
]
