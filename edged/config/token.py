"""The page's token, which lies in a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edged.config.wording import problem

if TYPE_CHECKING:
    from pathlib import Path

LEAST: Final = 16
MOST: Final = 1024
MUST: Final = f"one line of {LEAST} or more letters, digits and signs; `openssl rand -hex 32 > FILE` makes one"


def read_token(path: Path) -> str:
    """The token in a file. A PydanticCustomError (a ValueError) says what is wrong, and never what is in the file."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST + 3)
    except OSError as error:
        raise problem(f"the file cannot be read: {error.strerror}", MUST) from None
    token = data.removesuffix(b"\n").removesuffix(b"\r").decode("ascii", "replace")
    if not LEAST <= len(token) <= MOST or not token.isascii() or not token.isprintable() or " " in token:
        raise problem("the file does not hold a token", MUST)
    return token
