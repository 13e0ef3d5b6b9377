"""FlatBuffers: read with every offset checked against the file, and written.

A table knows its fields by slot, the place of a field in its schema. The `flatbuffers` package is not used to read: it
believes every offset and length, so that a damaged file gives other fields' bytes, struct's errors, or a list of four
thousand million entries. LiteRT checks a file too, but in native code, where a file that has not proved itself has no
business. Nor is the package used to write: it writes from the end to the start, and `write` has to go the other way.

The format: https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, TypeAlias

from edged.errors import ModelError

HEADER_BYTES: Final = 8  # the root table's offset, the file identifier
MAX_TABLES: Final = 100_000  # of one file: tables may share children, so a kilobyte may hold any number of them
MAX_TEXT: Final = 4 * 1024 * 1024  # bytes of all texts and number lists of one file together
_DATA_ALIGNMENT: Final = 16  # as TFLite's schema wants it for what a buffer holds


class _Allowance:
    """What may still be read of one file."""

    def __init__(self) -> None:
        self._tables = MAX_TABLES
        self._bytes = MAX_TEXT

    def take_table(self) -> None:
        self._tables -= 1
        if self._tables < 0:
            raise ModelError(f"damaged: more than {MAX_TABLES} tables")

    def take_bytes(self, count: int) -> None:
        self._bytes -= count
        if self._bytes < 0:
            raise ModelError(f"damaged: texts and lists of more than {MAX_TEXT // 2**20} MB")


@dataclass(frozen=True, slots=True)
class Table:
    """A table in a file. Every method raises ModelError where the file contradicts itself.

    A field that the file leaves out has its default: 0, an empty text, an empty list, None for a table.
    """

    _data: memoryview
    _position: int
    _vtable: int
    _vtable_bytes: int
    _allowance: _Allowance

    @classmethod
    def root(cls, data: bytes | memoryview, identifier: bytes) -> Table:
        """The root table of a file with this identifier."""
        view = memoryview(data)
        if view[4:8] != identifier:
            raise ModelError(f"not a {identifier.decode()} file{'' if view else ' (empty)'}")
        return cls._at(view, _u32(view, 0), _Allowance())

    @classmethod
    def _at(cls, data: memoryview, position: int, allowance: _Allowance) -> Table:
        allowance.take_table()
        vtable = position - int(_unpack(data, position, "<i"))
        size = int(_unpack(data, vtable, "<H"))
        if size < 4 or size % 2 or vtable + size > len(data):  # noqa: PLR2004  its own size and the table's
            raise ModelError("damaged: a table without a description")
        return cls(data, position, vtable, size, allowance)

    def slots(self) -> int:
        """How many fields of the schema the writer knew; the further ones are absent."""
        return (self._vtable_bytes - 4) // 2

    def has(self, slot: int) -> bool:
        """Whether the field is in the file."""
        return self._field(slot) is not None

    def integer(self, slot: int, kind: str, default: int = 0) -> int:
        """A number of one of struct's kinds: b, B, i, I, q, Q."""
        field = self._field(slot)
        return default if field is None else int(_unpack(self._data, field, f"<{kind}"))

    def real(self, slot: int) -> float:
        """A float32."""
        field = self._field(slot)
        return 0.0 if field is None else float(_unpack(self._data, field, "<f"))

    def text(self, slot: int) -> str:
        """A text; bytes that are not UTF-8 become U+FFFD."""
        start, count = self._vector(slot, 1)
        return self._text(start, count)

    def texts(self, slot: int) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self._text(*self._vector_at(place, 1)) for place in self.places(slot))

    def integers(self, slot: int, kind: str) -> tuple[int, ...]:
        """A list of numbers of one of struct's kinds."""
        return tuple(int(value) for value in self._numbers(slot, kind))

    def reals(self, slot: int) -> tuple[float, ...]:
        """A list of float32."""
        return tuple(float(value) for value in self._numbers(slot, "f"))

    def data(self, slot: int) -> memoryview:
        """A list of bytes, not copied."""
        start, count = self._vector(slot, 1)
        return self._data[start : start + count]

    def table(self, slot: int) -> Table | None:
        """The table that a field refers to."""
        place = self.place(slot)
        return None if place is None else Table._at(self._data, place, self._allowance)

    def tables(self, slot: int) -> tuple[Table, ...]:
        """A list of tables."""
        return tuple(Table._at(self._data, place, self._allowance) for place in self.places(slot))

    def count(self, slot: int) -> int:
        """How many texts or tables a list has."""
        return self._vector(slot, 4)[1]

    def table_at(self, slot: int, index: int) -> Table:
        """One of a list of tables."""
        start, count = self._vector(slot, 4)
        if not 0 <= index < count:
            raise ModelError(f"damaged: entry {index} of a list of {count} is used")
        return Table._at(self._data, self._target(start + 4 * index), self._allowance)

    def place(self, slot: int) -> int | None:
        """Where in the file that lies which a field refers to."""
        field = self._field(slot)
        return None if field is None else self._target(field)

    def places(self, slot: int) -> tuple[int, ...]:
        """Where in the file the texts or tables of a list lie."""
        start, count = self._vector(slot, 4)
        self._allowance.take_bytes(4 * count)
        return tuple(self._target(start + 4 * index) for index in range(count))

    def _field(self, slot: int) -> int | None:
        entry = 4 + 2 * slot
        if entry + 2 > self._vtable_bytes:
            return None
        offset = int(_unpack(self._data, self._vtable + entry, "<H"))
        return self._position + offset if offset else None

    def _target(self, field: int) -> int:
        target = field + _u32(self._data, field)
        if target + 4 > len(self._data):
            raise ModelError("damaged: something in it lies beyond its end")
        return target

    def _vector(self, slot: int, width: int) -> tuple[int, int]:
        place = self.place(slot)
        return (0, 0) if place is None else self._vector_at(place, width)

    def _vector_at(self, place: int, width: int) -> tuple[int, int]:
        """Where the first entry lies, and how many there are."""
        count = _u32(self._data, place)
        if place + 4 + count * width > len(self._data):
            raise ModelError("damaged: a list in it is longer than the file")
        return place + 4, count

    def _text(self, start: int, count: int) -> str:
        self._allowance.take_bytes(count)
        return bytes(self._data[start : start + count]).decode(errors="replace")

    def _numbers(self, slot: int, kind: str) -> tuple[float, ...]:
        start, count = self._vector(slot, struct.calcsize(f"<{kind}"))
        self._allowance.take_bytes(struct.calcsize(f"<{count}{kind}"))
        return struct.unpack_from(f"<{count}{kind}", self._data, start)


def _unpack(data: memoryview, position: int, form: str) -> float:
    if position < 0 or position + struct.calcsize(form) > len(data):
        raise ModelError("damaged: something in it lies beyond its end")
    value: float = struct.unpack_from(form, data, position)[0]
    return value


def _u32(data: memoryview, position: int) -> int:
    return int(_unpack(data, position, "<I"))


@dataclass(frozen=True, slots=True)
class Number:
    """A number to write, of one of struct's kinds."""

    kind: str
    value: float


@dataclass(frozen=True, slots=True)
class Reals:
    """A list of float32 to write."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """What is in a file already, at this position; `write` comes before that file."""

    position: int


@dataclass(frozen=True, slots=True)
class Node:
    """A table to write: its fields by slot, None for those left out."""

    slots: tuple[Value | None, ...] = ()


Value: TypeAlias = "Number | Reals | Place | Node | str | bytes | tuple[Node | Place | str, ...]"


def write(root: Node, identifier: bytes, alignment: int = 4) -> bytes:
    """A file with this root table, a multiple of `alignment` long.

    Offsets point forwards in this format. So that a table may refer to what is in another file already (`Place`), that
    file is appended to what comes from here, as it is; what it holds stays aligned when `alignment` is large enough.
    """
    out = bytearray(HEADER_BYTES)
    out[4:8] = identifier
    places: list[tuple[int, int]] = []
    _refer(out, 0, root, places)
    out += bytes(-len(out) % alignment)
    for field, position in places:
        struct.pack_into("<I", out, field, len(out) + position - field)
    return bytes(out)


def _refer(out: bytearray, field: int, value: Value, places: list[tuple[int, int]]) -> None:
    """Write what the offset at `field` is to point to, and the offset."""
    match value:
        case Place(position):
            places.append((field, position))
            return
        case Node(slots):
            at = _write_table(out, slots, places)
        case Reals(values):
            at = _write_vector(out, len(values), struct.pack(f"<{len(values)}f", *values))
        case str():
            text = value.encode()
            at = _write_vector(out, len(text), text + b"\0")
        case bytes():
            at = _write_vector(out, len(value), value, _DATA_ALIGNMENT)
        case tuple():
            at = _write_vector(out, len(value), bytes(4 * len(value)))
            for index, entry in enumerate(value):
                _refer(out, at + 4 + 4 * index, entry, places)
        case _:
            raise TypeError(f"{value!r} lies in its table")
    struct.pack_into("<I", out, field, at - field)


def _write_vector(out: bytearray, count: int, content: bytes, alignment: int = 4) -> int:
    out += bytes(-(len(out) + 4) % alignment)
    at = len(out)
    out += struct.pack("<I", count) + content
    return at


def _write_table(out: bytearray, slots: tuple[Value | None, ...], places: list[tuple[int, int]]) -> int:
    offsets, size = [], 4
    for value in slots:
        width = struct.calcsize(f"<{value.kind}") if isinstance(value, Number) else 4
        size += -size % width if value is not None else 0
        offsets.append(0 if value is None else size)
        size += 0 if value is None else width
    out += bytes(len(out) % 2)
    vtable = len(out)
    out += struct.pack(f"<{2 + len(offsets)}H", 4 + 2 * len(offsets), size, *offsets)
    out += bytes(-len(out) % 8)
    at = len(out)
    out += struct.pack("<i", at - vtable) + bytes(size - 4)
    for offset, value in zip(offsets, slots, strict=True):
        if isinstance(value, Number):
            number = value.value if value.kind == "f" else int(value.value)
            struct.pack_into(f"<{value.kind}", out, at + offset, number)
        elif value is not None:
            _refer(out, at + offset, value, places)
    return at
