"""Ways to damage a model file, by accident or by design. The same seed gives the same damage."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from support.tflite_spots import Kind, Spot, find_spots

HUGE: Final = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 2**24, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
SIDES: Final = (0, 1, 2, 7, 255, 65536, 46341, 2**24, 2**31 - 1, 2**32 - 1, 2**31)  # of a shape; the last are negative
NAMES: Final = (b"edgetpu-custom-op", b"edgetpu-custom-op\0", b"edgetpu-custom-oq", b"FlexConv2D", b"", b"\xff" * 64)
MOST_RUN: Final = 4096


@dataclass(frozen=True)
class Original:
    """A model that is as it should be, and where it says what."""

    data: bytes
    spots: tuple[Spot, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, data: bytes) -> Original:
        """Look for the places once, for any number of mutants."""
        return cls(data, find_spots(data))

    def having(self, *kinds: Kind, whose: str = "") -> list[Spot]:
        """The places of some kinds, of tables whose names begin so."""
        return [spot for spot in self.spots if spot.kind in kinds and spot.whose.startswith(whose)]


Mutation = Callable[[random.Random, Original], bytes]


def mutate(name: str, seed: int, original: Original) -> bytes:
    """The original with one kind of damage; where it has no place for that, with some bits flipped."""
    rng = random.Random(f"{name} {seed}")  # noqa: S311  the same every time
    while (mutant := MUTATIONS[name](rng, original)) == original.data:  # a byte was what it already is
        pass
    return mutant


def _bits(rng: random.Random, original: Original) -> bytes:
    data = bytearray(original.data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _run(rng: random.Random, original: Original) -> bytes:
    data = bytearray(original.data)
    length = rng.randrange(1, MOST_RUN)
    at = rng.randrange(len(data))
    run = rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length)))
    data[at : at + length] = run[: len(data) - at]
    return bytes(data)


def _cut(rng: random.Random, original: Original) -> bytes:
    data = original.data
    if rng.random() < 0.5:
        return data[: rng.choice((rng.randrange(64), rng.randrange(len(data)), len(data) - rng.randrange(1, 600)))]
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice((1, 2, 4, 8, rng.randrange(1, MOST_RUN))) :]


def _longer(rng: random.Random, original: Original) -> bytes:
    data = original.data
    more = rng.choice((rng.randbytes(rng.randrange(1, MOST_RUN)), data[-rng.randrange(1, MOST_RUN) :], bytes(2**20)))
    at = rng.choice((0, len(data), rng.randrange(len(data))))
    return data[:at] + more + data[at:]


def _splice(rng: random.Random, original: Original) -> bytes:
    """A part of the file over another part."""
    data = bytearray(original.data)
    length = rng.choice((4, 64, rng.randrange(1, MOST_RUN), len(data) // 3))
    source, target = (rng.randrange(len(data) - length) for _ in range(2))
    data[target : target + length] = original.data[source : source + length]
    return bytes(data)


def _head(rng: random.Random, original: Original) -> bytes:
    """The first bytes, and those of the root table and its description."""
    data = bytearray(original.data)
    (root,) = struct.unpack_from("<I", data)
    for _ in range(rng.randrange(1, 4)):
        start, end = rng.choice(((0, 8), (max(0, root - 48), root + 48)))
        data[rng.randrange(start, min(end, len(data)))] = rng.randrange(256)
    return bytes(data)


def _at(*kinds: Kind, whose: str = "") -> Mutation:
    """Numbers at places of some kinds, most of them such as nobody expects."""

    def change(rng: random.Random, original: Original) -> bytes:
        spots = original.having(*kinds, whose=whose)
        if not spots:
            return _bits(rng, original)
        data = bytearray(original.data)
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            spot = rng.choice(spots)
            _write(data, spot, _number(rng, original, spot))
        return bytes(data)

    return change


def _number(rng: random.Random, original: Original, spot: Spot) -> int:
    old = int.from_bytes(original.data[spot.at : spot.at + spot.width], "little")
    elsewhere = rng.choice(original.spots).at - spot.at  # what lies there is something else
    near = old + rng.choice((-8, -4, -2, -1, 1, 2, 4, 8))
    return rng.choice((rng.choice(HUGE), near, elsewhere, len(original.data) - spot.at, rng.randrange(2**32)))


def _write(data: bytearray, spot: Spot, number: int) -> None:
    width = min(spot.width, 8)
    data[spot.at : spot.at + width] = (number % 2 ** (8 * width)).to_bytes(width, "little")


def _shape(rng: random.Random, original: Original) -> bytes:
    """Tensors of other sides than they have, huge ones above all."""
    data = bytearray(original.data)
    for spot in rng.sample(original.having(Kind.NUMBER, whose="Tensor.0"), rng.choice((1, 1, 2, 4))):
        _write(data, spot, rng.choice(SIDES))
    return bytes(data)


def _operators(rng: random.Random, original: Original) -> bytes:
    """Operators of another kind; or a custom one of some name, as the Edge TPU's compiler leaves it."""
    data = bytearray(original.data)
    if rng.random() < 0.5:
        for spot in rng.sample(original.having(Kind.NUMBER, whose="OperatorCode"), 1):
            _write(data, spot, rng.choice((32, rng.randrange(-1, 220))))
        return bytes(data)
    codes = list(original.having(Kind.OFFSET, whose="Model.1"))[1:]  # the first refers to the list
    name = rng.choice(NAMES)
    end = min((spot.at for spot in original.having(Kind.ZIP)), default=len(data))  # zip counts from its own end
    padding = bytes(-end % 4)
    # a description of 8 bytes (fields 0 and 1), the table (back to it, the name, the code), and the name
    added = struct.pack("<4H", 8, 12, 8, 4) + struct.pack("<iIb3x", 8, 8, 32) + struct.pack("<I", len(name)) + name
    field_at = rng.choice(codes).at
    struct.pack_into("<I", data, field_at, end + len(padding) + 8 - field_at)
    return bytes(data[:end] + padding + added + b"\0" + data[end:])


def _weights(rng: random.Random, original: Original) -> bytes:
    """Weights of other values: the file is as it should be, and gives other answers."""
    data = bytearray(original.data)
    spots = [spot for spot in original.having(Kind.WEIGHTS) if spot.width]
    for _ in range(rng.choice((1, 3, 20))):
        spot = rng.choice(spots)
        length = min(spot.width, rng.choice((1, 16, 1024, spot.width)))
        at = spot.at + rng.randrange(spot.width - length + 1)
        data[at : at + length] = rng.choice((bytes(length), b"\x7f" * length, rng.randbytes(length)))
    return bytes(data)


def _words(rng: random.Random, original: Original) -> bytes:
    """Texts of other bytes: names of tensors, of metadata, of files."""
    data = bytearray(original.data)
    for _ in range(rng.choice((1, 2, 8))):
        spot = rng.choice([spot for spot in original.having(Kind.TEXT) if spot.width])
        text = rng.choice((rng.randbytes(spot.width), b"../" * spot.width, bytes(spot.width), b"\xff" * spot.width))
        data[spot.at : spot.at + spot.width] = text[: spot.width]
    return bytes(data)


def _packed(rng: random.Random, original: Original) -> bytes:
    """A byte of a packed file, or of what lies between the archive's records."""
    marks = [spot.at for spot in original.having(Kind.ZIP)]
    if not marks:
        return _bits(rng, original)
    data = bytearray(original.data)
    for _ in range(rng.randrange(1, 5)):
        data[rng.randrange(min(marks), len(data))] = rng.randrange(256)
    return bytes(data)


MUTATIONS: Final[dict[str, Mutation]] = {
    "bits": _bits,
    "run of bytes": _run,
    "cut": _cut,
    "longer": _longer,
    "splice": _splice,
    "head": _head,
    "offsets": _at(Kind.OFFSET),
    "descriptions": _at(Kind.VTABLE),
    "lengths": _at(Kind.LENGTH),
    "numbers": _at(Kind.NUMBER),
    "tensors": _at(Kind.NUMBER, Kind.OFFSET, Kind.LENGTH, Kind.VTABLE, whose="Tensor"),
    "operators' fields": _at(Kind.NUMBER, Kind.OFFSET, Kind.LENGTH, Kind.VTABLE, whose="Op"),
    "shapes": _shape,
    "operators": _operators,
    "weights": _weights,
    "texts": _words,
    "metadata": _at(Kind.NUMBER, Kind.OFFSET, Kind.LENGTH, Kind.VTABLE, whose="TensorMetadata"),
    "zip records": _at(Kind.ZIP),
    "zip contents": _packed,
}
