"""The pictures in an endless multipart body (`multipart/x-mixed-replace`), as HTTP cameras send them.

The form is RFC 2046's, and few cameras keep to it: boundaries with and without dashes, parts without headers, lengths
that are wrong or missing. FFmpeg's demuxer stops at a part without a type and at a wrong length (8.1), so it is not
used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edged.errors import BadImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_LONGEST_LINE: Final = 8192
_MOST_LINES: Final = 100  # of headers, or before the first boundary
_END_OF_JPEG: Final = b"\xff\xd9"
_PADDING: Final = b"\0\r\n"


def parts(read_some: Callable[[], bytes], boundary: str | None, most: int) -> Generator[bytes, None, None]:
    """The bodies of the parts, until the stream ends.

    A part whose announced length ends a JPEG comes as soon as it is there; any other when the next boundary has come.

    Args:
        read_some: gives the next bytes, and nothing at the end.
        boundary: as the server's header has it.
        most: bytes of one part.

    Raises:
        BadImageError: this is no multipart body, or a part is larger than `most`.
    """
    buffer = _Buffer(read_some, most)
    try:
        mark = _first_boundary(buffer, boundary)
        while True:
            yield _body(buffer, mark, _length(buffer))
            buffer.until(mark)
            buffer.line()
    except EOFError:
        return


class _Buffer:
    """Bytes that have come and are not used yet. Its methods raise EOFError when the stream ends."""

    def __init__(self, read_some: Callable[[], bytes], most: int) -> None:
        self._read_some = read_some
        self._most = most
        self._data = bytearray()

    def line(self) -> bytes:
        """The next line, without its end."""
        end = self._find(b"\n", _LONGEST_LINE)
        return self._take(end + 1).strip()

    def until(self, mark: bytes) -> bytes:
        """All before the mark, which stays."""
        return self._take(self._find(mark, self._most))

    def whole_jpeg(self, length: int) -> bytes | None:
        """The next bytes where they end as a JPEG does; else None, and they stay."""
        if length > self._most:
            return None
        while len(self._data) < length:
            self._fill()
        if not self._data[max(0, length - 64) : length].rstrip(_PADDING).endswith(_END_OF_JPEG):
            return None
        return self._take(length)

    def _find(self, mark: bytes, most: int) -> int:
        searched = 0
        while (at := self._data.find(mark, searched)) < 0:
            if len(self._data) > most:
                raise BadImageError(f"no end of a part within {most} bytes")
            searched = max(0, len(self._data) - len(mark) + 1)
            self._fill()
        return at

    def _fill(self) -> None:
        data = self._read_some()
        if not data:
            raise EOFError
        self._data += data

    def _take(self, count: int) -> bytes:
        taken = bytes(self._data[:count])
        del self._data[:count]
        return taken


def _first_boundary(buffer: _Buffer, boundary: str | None) -> bytes:
    """Read up to the first boundary line, and give it: what a server sends counts, not what it says."""
    named = (boundary or "--").encode("ascii", "replace")
    for _ in range(_MOST_LINES):
        line = buffer.line()
        if line.startswith((b"--", named)):
            return line
    raise BadImageError("no boundary")


def _length(buffer: _Buffer) -> int | None:
    """Read a part's headers: the announced length, where there is one."""
    length = None
    for _ in range(_MOST_LINES):
        name, _, value = buffer.line().partition(b":")
        if not name:
            return length
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
    raise BadImageError("a part's headers do not end")


def _body(buffer: _Buffer, mark: bytes, length: int | None) -> bytes:
    whole = buffer.whole_jpeg(length) if length else None
    return buffer.until(b"\n" + mark).rstrip(b"\r\n") if whole is None else whole
