"""Logging to stderr: for people and the journal, or one JSON object a line for machines."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from edged.mqtt.messages import timestamp
from edged.repeats import Repeats
from edged.text import printable


class TextFormatter(logging.Formatter):
    """Time, level, message; a message (a file's name in it, say) cannot command the terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        return printable(super().format(record), keep="\n")


class JsonFormatter(logging.Formatter):
    """One object a line: time (RFC 3339, UTC), level, logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        entry = {
            "time": timestamp(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return printable(json.dumps(entry, ensure_ascii=False))  # JSON itself lets DEL and the C1 controls through


def configure_logging(level: str, *, as_json: bool) -> None:
    """Send every log line of this process to stderr. `level`: debug, info, warning or error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    if level != "debug":  # whoever wants every line gets it
        handler.addFilter(Repeats())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    if level != "debug":
        for chatty in ("asyncio", "tuf", "securesystemslib"):
            logging.getLogger(chatty).setLevel(max(root.level, logging.WARNING))
