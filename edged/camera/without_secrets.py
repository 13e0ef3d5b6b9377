"""What libraries say about an address, fit for a log."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

_SHORTEST_VALUE: Final = 4  # of a query: `channel=1` is no secret, and hiding every 1 would hide the reason


def without_secrets(text: str, address: str, shown: str) -> str:
    """The text without the address's credentials, in whatever form a library repeats them.

    Args:
        text: an error's words, a traceback.
        address: with its credentials.
        shown: the same without them.
    """
    text = text.replace(address, shown)
    if address != shown:
        for secret in _secrets(address):
            text = text.replace(secret, "***")
    return text


def _secrets(address: str) -> list[str]:
    """User, password and query, whole and in parts, as written and unquoted; the longest first."""
    rest = address.partition("://")[2]
    user, query = rest.rpartition("@")[0], rest.partition("?")[2]
    values = (part.partition("=")[2] for part in query.split("&"))
    written = {user, *user.split(":", 1), query, *(value for value in values if len(value) >= _SHORTEST_VALUE)}
    return sorted(filter(None, written | {unquote(part) for part in written}), key=len, reverse=True)
