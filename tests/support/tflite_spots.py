"""Where a `.tflite` file says what: the places that a mutation is aimed at.

The model's flatbuffer, TFLite Metadata's own inside it, and the zip archive behind it. Fields are the published
schemas', as far as edged or the runtime reads them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# Of each table its fields by slot: a number of one of struct's kinds, `text`, `bytes`, another table; a list with `[`.
TABLES: Final[dict[str, dict[int, str]]] = {
    "Model": {0: "I", 1: "[OperatorCode", 2: "[SubGraph", 3: "text", 4: "[Buffer", 6: "[Metadata"},
    "OperatorCode": {0: "b", 1: "text", 2: "i", 3: "i"},
    "SubGraph": {0: "[Tensor", 1: "[i", 2: "[i", 3: "[Operator", 4: "text"},
    "Tensor": {0: "[i", 1: "b", 2: "I", 3: "text", 4: "Quantization", 5: "B", 7: "[i"},
    "Quantization": {0: "[f", 1: "[f", 2: "[f", 3: "[q", 6: "i"},
    "Operator": {0: "I", 1: "[i", 2: "[i", 3: "B", 4: "Options"},
    "Options": {},
    "Buffer": {0: "bytes"},
    "Metadata": {0: "text", 1: "I"},
    "ModelMetadata": {0: "text", 1: "text", 2: "text", 3: "[GraphMetadata", 4: "text", 6: "[AssociatedFile", 7: "text"},
    "GraphMetadata": {0: "text", 2: "[TensorMetadata", 3: "[TensorMetadata", 4: "[AssociatedFile"},
    "TensorMetadata": {0: "text", 1: "text", 2: "[text", 3: "Content", 4: "[Step", 5: "Stats", 6: "[AssociatedFile"},
    "Content": {0: "B", 1: "Options"},
    "Step": {0: "B", 1: "Options"},
    "Stats": {0: "[f", 1: "[f"},
    "AssociatedFile": {0: "text", 1: "text", 2: "b", 3: "text", 4: "text"},
}
MOST_ENTRIES: Final = 64  # of one list of numbers: a channel's scale is as good as another's
_ZIP: Final = {b"PK\3\4": 30, b"PK\1\2": 46, b"PK\5\6": 22}  # marks of zip's records, and their fixed lengths


class Kind(StrEnum):
    """What a place holds."""

    OFFSET = "offset"  # from here to what a field refers to, or back to the table's description
    VTABLE = "vtable"  # a table's description: its size, the table's, and where each field is
    LENGTH = "length"
    NUMBER = "number"
    TEXT = "text"
    WEIGHTS = "weights"
    ZIP = "zip"


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a file: where, how many bytes, and whose (`Tensor.0` is a tensor's field 0, its shape)."""

    kind: Kind
    at: int
    width: int
    whose: str


def find_spots(data: bytes) -> tuple[Spot, ...]:
    """The places of a file that is as it should be, TFLite Metadata's and the archive's included."""
    spots = _Walk(data, 0, "Model").spots
    inside = [spot for spot in spots if spot.kind is Kind.WEIGHTS and data[spot.at + 4 : spot.at + 8] == b"M001"]
    for spot in inside:
        spots += _Walk(data, spot.at, "ModelMetadata").spots
    return (*spots, *_zip_spots(data))


class _Walk:
    """One flatbuffer, every table once."""

    def __init__(self, data: bytes, start: int, root: str) -> None:
        self._data = data
        self._seen: set[int] = set()
        self.spots: list[Spot] = [Spot(Kind.TEXT, start + 4, 4, "identifier")]
        self._refer(start, root, "root")

    def _read(self, at: int, kind: str) -> int:
        return int(struct.unpack_from(f"<{kind}", self._data, at)[0])

    def _refer(self, field: int, what: str, whose: str) -> None:
        """A field that holds an offset, and that which it refers to."""
        self.spots.append(Spot(Kind.OFFSET, field, 4, whose))
        place = field + self._read(field, "I")
        if place in self._seen:
            return
        self._seen.add(place)
        if what in TABLES:
            self._table(place, what)
            return
        count = self._read(place, "I")
        self.spots.append(Spot(Kind.LENGTH, place, 4, whose))
        entry = what[1:]
        if what in {"text", "bytes"}:
            self.spots.append(Spot(Kind.TEXT if what == "text" else Kind.WEIGHTS, place + 4, count, whose))
        elif len(entry) == 1:
            width = struct.calcsize(f"<{entry}")
            for index in range(min(count, MOST_ENTRIES)):
                self.spots.append(Spot(Kind.NUMBER, place + 4 + index * width, width, whose))
        else:
            for index in range(count):
                self._refer(place + 4 + 4 * index, entry, whose)

    def _table(self, place: int, name: str) -> None:
        self.spots.append(Spot(Kind.OFFSET, place, 4, name))
        vtable = place - self._read(place, "i")
        size = self._read(vtable, "H")
        self.spots += [Spot(Kind.VTABLE, at, 2, name) for at in range(vtable, vtable + size, 2)]
        for slot in range((size - 4) // 2):
            offset = self._read(vtable + 4 + 2 * slot, "H")
            what = TABLES[name].get(slot, "" if TABLES[name] else "I")  # of options, the kind is not known
            if not offset or not what:
                continue
            whose = f"{name}.{slot}"
            if len(what) == 1:
                self.spots.append(Spot(Kind.NUMBER, place + offset, struct.calcsize(f"<{what}"), whose))
            else:
                self._refer(place + offset, what, whose)


def _zip_spots(data: bytes) -> list[Spot]:
    """Every byte of the archive's records, and of the names in them; none where the file has no archive."""
    end = data.rfind(b"PK\5\6", max(0, len(data) - 22))
    if end < 0:
        return []
    (directory,) = struct.unpack_from("<I", data, end + 12)
    spots = []
    for mark, length in _ZIP.items():
        at = data.find(mark, 0 if mark == b"PK\3\4" else end - directory)
        while at >= 0:
            spots += [Spot(Kind.ZIP, at + byte, 2, mark.decode("latin-1")) for byte in range(0, length + 16, 2)]
            at = data.find(mark, at + 1)
    return [spot for spot in spots if spot.at + 2 <= len(data)]
