"""Read the published weights: a legacy (non-zip) torch checkpoint, without torch and without trusting it.

A pickle is a program. This one needs four names to be read, so four names are all that it gets; anything else is
refused before it is looked up, let alone called.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

# The first two values of every legacy checkpoint: torch.serialization.MAGIC_NUMBER and PROTOCOL_VERSION.
_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001


class UnsafeCheckpointError(Exception):
    """The checkpoint asks for a name that weights do not need: it is damaged, or made to run code."""


class BadCheckpointError(Exception):
    """The checkpoint is not a legacy little-endian torch checkpoint of plain tensors, or it is cut short."""


@dataclass(frozen=True)
class _Storage:
    """A run of numbers that follows the pickles in the file; tensors are views of it."""

    key: str
    dtype: npt.DTypeLike
    count: int


@dataclass(frozen=True)
class _View:
    """A tensor before its storage has been read: offset and strides count elements, as torch's do."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _StorageType:
    """Stands for `torch.FloatStorage` and `torch.LongStorage`; only ever handed back as a storage's type."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.dtype = dtype


# `torch._utils._rebuild_tensor_v2` also takes requires_grad and hooks; weights at rest need neither.
def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_ignored: object
) -> _View:
    return _View(storage, offset, shape, strides)


_ALLOWED: Final[dict[tuple[str, str], _StorageType | Callable[..., object]]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch", "FloatStorage"): _StorageType("<f4"),
    ("torch", "LongStorage"): _StorageType("<i8"),
}


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that knows the four names a checkpoint of plain tensors is made of, and no other."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - the signature of the class it restricts
        """Return the stand-in for an allowed name; raise `UnsafeCheckpointError` for every other."""
        try:
            return _ALLOWED[module, name]
        except KeyError:
            message = f"the checkpoint wants {module}.{name}, which no weights need: do not use this file"
            raise UnsafeCheckpointError(message) from None

    def persistent_load(self, pid: object) -> _Storage:
        """Return the storage that a persistent id names; raise `BadCheckpointError` when it names something else."""
        match pid:
            case ("storage", _StorageType(dtype=dtype), str(key), str(), int(count), None):
                return _Storage(key, dtype, count)
            case _:
                return _refuse(f"persistent id {pid!r} is not a tensor storage")


def read_checkpoint(content: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """Return the float tensors of a legacy torch checkpoint, by name.

    Integer tensors (`num_batches_tracked`) are counters of the training and are left out.

    Raises `UnsafeCheckpointError` when the pickle asks for any name beyond plain tensors, and `BadCheckpointError`
    when the file is another format, damaged or cut short.
    """
    file = io.BytesIO(content)
    try:
        magic, protocol = _unpickle(file), _unpickle(file)
        if (magic, protocol) != (_MAGIC, _PROTOCOL):
            _refuse("it does not begin as a legacy torch checkpoint does")
        system = _unpickle(file)
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            _refuse("it was written on a big-endian machine")
        state, keys = _unpickle(file), _unpickle(file)
    except (pickle.UnpicklingError, EOFError, TypeError, ValueError, IndexError, AttributeError) as error:
        _refuse(f"its pickles cannot be read ({error})")
    if not isinstance(state, dict) or not all(isinstance(view, _View) for view in state.values()):
        _refuse("it holds something other than tensors")
    storages = _read_storages(file, keys, {view.storage.key: view.storage for view in state.values()})
    tensors = {name: _materialise(name, view, storages[view.storage.key]) for name, view in state.items()}
    return {name: tensor for name, tensor in tensors.items() if tensor.dtype == np.float32}


def _unpickle(file: io.BytesIO) -> Any:  # noqa: ANN401 - whatever the file says; every caller checks it
    return RestrictedUnpickler(file).load()


def _read_storages(file: io.BytesIO, keys: object, known: dict[str, _Storage]) -> dict[str, npt.NDArray[np.generic]]:
    if not isinstance(keys, list) or set(keys) != set(known):
        _refuse("its list of storages does not match its tensors")
    storages: dict[str, npt.NDArray[np.generic]] = {}
    for key in keys:
        storage = known[key]
        dtype = np.dtype(storage.dtype)
        header = file.read(8)
        content = file.read(storage.count * dtype.itemsize)
        if len(header) + len(content) != 8 + storage.count * dtype.itemsize:
            _refuse("it is cut short")
        if struct.unpack("<q", header)[0] != storage.count:
            _refuse(f"storage {key} is not as long as its tensors say")
        storages[key] = np.frombuffer(content, dtype)
    return storages


def _materialise(name: str, view: _View, storage: npt.NDArray[np.generic]) -> npt.NDArray[Any]:
    # as_strided does no bounds checks of its own, and the numbers come out of the file.
    if len(view.shape) != len(view.strides) or min((view.offset, *view.shape, *view.strides)) < 0:
        _refuse(f"tensor {name} has an impossible shape")
    last = view.offset + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
    if last >= storage.size:
        _refuse(f"tensor {name} reaches beyond its storage")
    byte_strides = [stride * storage.itemsize for stride in view.strides]
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, byte_strides).copy()


def _refuse(reason: str) -> NoReturn:
    message = f"not a usable legacy torch checkpoint: {reason}"
    raise BadCheckpointError(message)
