"""What daemon and worker say to each other.

Three channels, all made by the daemon:

* control: a SOCK_SEQPACKET socket, one JSON message a packet. The kernel keeps packets whole, so half a message cannot
  happen, only a wrong one.
* request and reply: a pipe each way, one byte an inference: the slot. `FAILED` is set in a reply when the runtime
  raised; the text is then in the slot's header.
* memory: one sealed memfd a slot, made by the daemon and mapped by both: a header, then every input, then every output.
  Sealed so that no worker, however broken, can shrink it under the daemon's feet.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from typing import Tuple, Union

MAX_PACKET = 65536
MAX_SLOTS = 0x80
FAILED = 0x80

HEADER_BYTES = 4096
ALIGNMENT = 64
SECONDS = struct.Struct("<d")  # at offset 0: how long invoke() took, on the worker's clock
ERROR = struct.Struct("<I")  # at offset 8: bytes of UTF-8 error text that follow
ERROR_OFFSET = 8
MAX_ERROR = HEADER_BYTES - ERROR_OFFSET - ERROR.size

ITEM_BYTES = {"uint8": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4}


class WireError(ValueError):
    """The other side said something that is not in this file."""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model. `scale` 0 means not quantised; real = (value - zero_point) * scale."""

    name: str
    shape: Tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        count = 1
        for side in self.shape:
            count *= side
        return count * ITEM_BYTES[self.dtype]


@dataclass(frozen=True)
class Ready:
    """Worker: the runtime is imported."""

    runtime: str
    version: str
    python: str


@dataclass(frozen=True)
class UseDelegate:
    """Daemon: load the Edge TPU's library, and with it the device; empty: the first one. Answered with `Done`."""

    library: str
    device: str


@dataclass(frozen=True)
class Load:
    """Daemon: build an interpreter for the file at `path` in `slot`.

    `delegate`: with the one that was loaded. `gently`: another worker infers meanwhile.
    """

    slot: int
    path: str
    threads: int
    delegate: bool
    gently: bool


@dataclass(frozen=True)
class Loaded:
    """Worker: the interpreter stands; this is its shape. The daemon answers with `Map` and the memory."""

    slot: int
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]


@dataclass(frozen=True)
class Map:
    """Daemon: the slot's memory travels with this packet."""

    slot: int


@dataclass(frozen=True)
class Done:
    """Worker: the slot takes frames from now on; or, after `Unload`, is forgotten."""

    slot: int


@dataclass(frozen=True)
class Unload:
    """Daemon: forget the slot. Answered with `Done`."""

    slot: int


@dataclass(frozen=True)
class Measure:
    """Daemon: call bare `invoke()` on the slot `count` times, with nothing around it (for `edged bench`)."""

    slot: int
    count: int


@dataclass(frozen=True)
class Measured:
    """Worker: the median of those calls."""

    median_seconds: float


@dataclass(frozen=True)
class Failed:
    """Worker: what was asked did not work.

    `kind`: `runtime` (nothing runs here), `delegate` (the Edge TPU cannot be had) or `model` (this file is at fault).
    """

    kind: str
    error: str


Message = Union[Ready, UseDelegate, Load, Loaded, Map, Done, Unload, Measure, Measured, Failed]
_KINDS = {
    kind.__name__: kind for kind in (Ready, UseDelegate, Load, Loaded, Map, Done, Unload, Measure, Measured, Failed)
}


def encode(message: Message) -> bytes:
    """One packet."""
    return json.dumps({"op": type(message).__name__, **asdict(message)}).encode()


def decode(packet: bytes) -> Message:
    """Read one packet.

    Raises:
        WireError: it is not a message of this file, field by field.
    """
    try:
        fields = json.loads(packet)
        kind = _KINDS[fields.pop("op")]
        for side in ("inputs", "outputs"):
            if side in fields:
                fields[side] = _tensors(fields[side])
        message = kind(**fields)
        for name, wanted in kind.__annotations__.items():
            _check(getattr(message, name), wanted)
    except WireError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WireError(f"not a message: {packet[:80]!r} ({error!r})") from error
    return message


def _check(value: object, wanted: str) -> None:
    """Compare a field with its annotation: a dataclass takes anything."""
    plain = {"int": int, "str": str, "float": float, "bool": bool}.get(wanted)
    if plain is not None and (not isinstance(value, plain) or isinstance(value, bool) != (plain is bool)):
        raise WireError(f"{value!r} is not {wanted}")


def _tensors(entries: object) -> Tuple[TensorSpec, ...]:
    if not isinstance(entries, list):
        raise WireError(f"not a list of tensors: {entries!r}")
    return tuple(_tensor(entry) for entry in entries)


def _tensor(entry: object) -> TensorSpec:
    if not isinstance(entry, dict):
        raise WireError(f"not a tensor: {entry!r}")
    spec = TensorSpec(**{**entry, "shape": tuple(entry["shape"])})
    for name, wanted in TensorSpec.__annotations__.items():
        _check(getattr(spec, name), wanted)
    if spec.dtype not in ITEM_BYTES:
        raise WireError(f"tensor type {spec.dtype!r}")
    sides: "tuple[object, ...]" = spec.shape
    if not all(isinstance(side, int) and side > 0 for side in sides):
        raise WireError(f"tensor shape {spec.shape!r}")
    return spec


def offsets(specs: Tuple[TensorSpec, ...]) -> Tuple[Tuple[int, ...], int]:
    """Where each tensor starts in a slot's memory, and the size of the whole."""
    starts = []
    end = HEADER_BYTES
    for spec in specs:
        starts.append(end)
        end += -(-spec.nbytes // ALIGNMENT) * ALIGNMENT
    return tuple(starts), end
