"""Moments for people: the time of day, and the date where it is not today's. Scripts say them in the reader's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.mqtt.messages import timestamp
from edged.web.markup import Markup, tag

if TYPE_CHECKING:
    from datetime import datetime


def moment(time: datetime, now: datetime) -> Markup:
    """An element that scripts find."""
    return tag("time", {"datetime": timestamp(time)}, in_words(time, now))


def in_words(time: datetime, now: datetime) -> str:
    """As this machine's clock has it, 24 hours a day."""
    local, here = time.astimezone(), now.astimezone()
    clock = f"{local:%H:%M:%S}"
    if local.date() == here.date():
        return clock
    year = "" if local.year == here.year else f" {local.year}"
    return f"{local.day} {local:%b}{year}, {clock}"
