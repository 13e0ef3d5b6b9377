"""What can be known of a `.tflite` file without running it.

The numbers of fields and types are those of TensorFlow Lite's published schema (`schema.fbs`, version 3). Behind the
model there may be further files, packed as a zip archive: TFLite Metadata's associated files.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import Final

from edged.engine.worker.wire import TensorSpec
from edged.errors import ModelError
from edged.models.flatbuffer import Table

IDENTIFIER: Final = b"TFL3"
METADATA: Final = "TFLITE_METADATA"
MIN_RUNTIME: Final = "min_runtime_version"
EDGE_TPU_OPERATOR: Final = "edgetpu-custom-op"  # what the Edge TPU's compiler leaves of a model
MAX_LISTED: Final = 1024  # operators, metadata entries, dimensions, inputs and outputs
MAX_METADATA_BYTES: Final = 4 * 1024 * 1024
MAX_PACKED_FILES: Final = 256
MAX_PACKED_BYTES: Final = 16 * 1024 * 1024  # of all of them together
MAX_RATIO: Final = 200  # label lists reach 10; a bomb is 1000

_OPERATOR_CODES, _SUBGRAPHS, _DESCRIPTION, _BUFFERS, _METADATA = 1, 2, 3, 4, 6  # fields of Model
_GRAPH_OPERATORS: Final = 3  # of SubGraph
_CUSTOM: Final = 32
_END: Final = struct.Struct("<4s4H2IH")  # a zip archive's end record
_END_MARK: Final = b"PK\5\6"
_LONG_MARK: Final = b"PK\6\7"
_MAX_COMMENT: Final = 0xFFFF
_NOT_A_ZIP: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    IndexError,
)
TYPES: Final = tuple(
    """
    float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64 resource variant uint32
    uint16 int4 bfloat16 int2 uint4 float8_e4m3fn float8_e5m2
    """.split()  # noqa: SIM905  a line a name would be a page
)
OPERATORS: Final = tuple(
    """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
    FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION
    LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH
    CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER
    BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
    BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM
    ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE
    EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR
    ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE
    RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND
    COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
    NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL
    PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE
    HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE
    BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1
    UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR
    RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE
    STABLEHLO_CLAMP STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE
    STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL
    STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER
    STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE
    STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA
    STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE
    DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT
    STABLEHLO_CASE
    """.split()  # noqa: SIM905  as above
)


@dataclass(frozen=True, slots=True)
class Operator:
    """A kind of operator that the model uses: a built-in one by the schema's name, or a custom one by its own."""

    name: str
    version: int
    custom: bool


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file packed behind the model."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class TfliteFile:
    """What a file says of itself.

    Attributes:
        size: of the model in bytes; behind it lie the packed files, where there are any.
        version: of the schema.
        subgraphs: how many there are; inputs and outputs are those of the first.
        metadata: TFLite Metadata, a flatbuffer of its own; None where there is none.
        metadata_names: of every buffer that describes the model.
        min_runtime: the oldest TFLite that runs it, as its converter says; empty where it does not.
        compiled: whether it is for the Edge TPU alone.
    """

    size: int
    version: int
    description: str
    subgraphs: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: tuple[Operator, ...]
    metadata: bytes | None
    metadata_names: tuple[str, ...]
    min_runtime: str
    files: tuple[PackedFile, ...]
    compiled: bool = False

    def packed(self, name: str) -> bytes | None:
        """What a packed file holds; the last one where several have the name, as the Task Library has it."""
        return next((file.data for file in reversed(self.files) if file.name == name), None)


def inspect(data: bytes) -> TfliteFile:
    """Read everything that a file says of itself.

    Raises:
        ModelError: it is no TensorFlow Lite model, or contradicts itself. The text does not name the file.
    """
    check_mark(data)
    model = Table.root(data, IDENTIFIER)
    size, files = _packed_files(data)
    graph = model.table_at(_SUBGRAPHS, 0) if model.count(_SUBGRAPHS) else None
    if graph is None:
        raise ModelError("damaged: a model without a graph")
    named = [(entry.text(0), entry.integer(1, "I")) for entry in _listed(model, _METADATA, "metadata entries")]
    operators = tuple(_operator(code) for code in _listed(model, _OPERATOR_CODES, "operators"))
    return TfliteFile(
        size=size,
        version=model.integer(0, "I"),
        description=model.text(_DESCRIPTION),
        subgraphs=model.count(_SUBGRAPHS),
        inputs=_tensors(graph, 1),
        outputs=_tensors(graph, 2),
        operators=operators,
        metadata=_buffer(data, model, named, METADATA),
        metadata_names=tuple(name for name, _ in named),
        min_runtime=(_buffer(data, model, named, MIN_RUNTIME) or b"").rstrip(b"\0").decode(errors="replace"),
        files=files,
        compiled=_is_compiled(graph, operators),
    )


def check_mark(data: bytes) -> None:
    """Raise ModelError for what does not even claim to be a model."""
    if data[4:8] != IDENTIFIER:
        raise ModelError(f"not a TensorFlow Lite model ({'no TFL3 mark' if data else 'empty'})")


def _listed(table: Table, slot: int, what: str) -> tuple[Table, ...]:
    if table.count(slot) > MAX_LISTED:
        raise ModelError(f"damaged: {table.count(slot)} {what}")
    return table.tables(slot)


def _operator(code: Table) -> Operator:
    """What an OperatorCode says; numbers past 127 are in a later field, and the larger of the two counts."""
    number = max(code.integer(0, "b"), code.integer(3, "i"))
    version = code.integer(2, "i", default=1)
    if number == _CUSTOM:
        return Operator(code.text(1), version, custom=True)
    known = 0 <= number < len(OPERATORS)
    return Operator(OPERATORS[number] if known else f"BUILTIN_{number}", version, custom=False)


def _is_compiled(graph: Table, operators: tuple[Operator, ...]) -> bool:
    """Whether the graph has a program for the Edge TPU.

    The operator's name alone is not enough: what is taken for compiled is not run, so no golden photo would show what
    a file makes of it in which the name is merely listed.
    """
    theirs = {index for index, one in enumerate(operators) if one.custom and one.name == EDGE_TPU_OPERATOR}
    if not theirs:
        return False
    return any(one.integer(0, "I") in theirs and len(one.data(5)) > 0 for one in graph.tables(_GRAPH_OPERATORS))


def _tensors(graph: Table, slot: int) -> tuple[TensorSpec, ...]:
    indices = graph.integers(slot, "i")
    if len(indices) > MAX_LISTED:
        raise ModelError(f"damaged: {len(indices)} inputs or outputs")
    return tuple(_tensor(graph.table_at(0, index)) for index in indices)


def _tensor(tensor: Table) -> TensorSpec:
    shape, number = tensor.integers(0, "i"), tensor.integer(1, "b")
    if len(shape) > MAX_LISTED or not 0 <= number < len(TYPES):
        raise ModelError(f"an input or output of type {number} and {len(shape)} dimensions; a newer edged may know it")
    scale, zero_point = 0.0, 0
    quantisation = tensor.table(4)
    if quantisation is not None:
        scales, zero_points = quantisation.reals(2), quantisation.integers(3, "q")
        if len(scales) == 1 and len(zero_points) <= 1:  # one for each channel is for weights: as the runtime has it
            scale, zero_point = scales[0], sum(zero_points)
    if not math.isfinite(scale):
        raise ModelError(f"damaged: an input or output with a scale of {scale}")
    return TensorSpec(tensor.text(3), shape, TYPES[number], scale, zero_point)


def _buffer(data: bytes, model: Table, named: list[tuple[str, int]], name: str) -> bytes | None:
    """The first buffer of this name: in the flatbuffer, or where files over 2 GB have them, behind it."""
    index = next((index for entry, index in named if entry == name), None)
    if index is None:
        return None
    buffer = model.table_at(_BUFFERS, index)
    content: memoryview = buffer.data(0)
    outside = buffer.integer(1, "Q")
    if outside > 1:
        content = memoryview(data)[outside : outside + buffer.integer(2, "Q")]
    if len(content) > MAX_METADATA_BYTES:
        raise ModelError(f"{name} of {len(content)} bytes; {MAX_METADATA_BYTES // 2**20} MB are taken")
    return bytes(content)


def _packed_files(data: bytes) -> tuple[int, tuple[PackedFile, ...]]:
    """Where the packed files begin, and what they are."""
    end = _end_record(data)
    if end is None:
        return len(data), ()
    at, directory, count = end
    if data[max(at - 20, 0) : at][:4] == _LONG_MARK or count > MAX_PACKED_FILES or directory > MAX_PACKED_FILES * 512:
        raise ModelError(f"more packed files than are taken ({MAX_PACKED_FILES})")
    start = max(0, at - directory - 2 * MAX_PACKED_BYTES)  # no more than that is copied
    try:
        with zipfile.ZipFile(io.BytesIO(data[start:] if start else data)) as archive:
            entries = archive.infolist()
            _check_sizes(entries)
            begin = min((entry.header_offset for entry in entries), default=archive.start_dir)
            files = tuple(PackedFile(_name(entry), archive.read(entry)) for entry in entries if not entry.is_dir())
    except _NOT_A_ZIP as error:
        raise ModelError(f"the files packed behind the model are damaged: {str(error)[:100]}") from error
    if not 0 <= begin <= at:
        raise ModelError("the files packed behind the model are damaged: they begin outside of the file")
    return start + begin, files


def _end_record(data: bytes) -> tuple[int, int, int] | None:
    """An archive's end record: where it lies, how long the directory is, how many files there are.

    Only the last mark counts, as for zipfile, which shall not find another archive than was looked at here.
    """
    at = data.rfind(_END_MARK, max(0, len(data) - _END.size - _MAX_COMMENT))
    if at < 0 or at + _END.size > len(data):
        return None
    _, _, _, _, count, directory, _, comment = _END.unpack_from(data, at)
    return (at, directory, count) if at + _END.size + comment == len(data) else None  # None: it is a weight's bytes


def _check_sizes(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_PACKED_FILES:
        raise ModelError(f"{len(entries)} packed files; {MAX_PACKED_FILES} are taken")
    if sum(entry.file_size for entry in entries) > MAX_PACKED_BYTES:
        raise ModelError(f"packed files of more than {MAX_PACKED_BYTES // 2**20} MB")
    for entry in entries:
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ModelError(f"the packed file {_name(entry)!r} is encrypted, or packed in an unusual way")
        if entry.file_size > MAX_RATIO * (entry.compress_size + 64):
            raise ModelError(f"the packed file {_name(entry)!r} unpacks to {entry.file_size} bytes: not taken")


def _name(entry: zipfile.ZipInfo) -> str:
    """A packed file's name. The Task Library compares bytes, so UTF-8 that is not marked as such is UTF-8 too."""
    name = entry.filename
    if not entry.flag_bits & 0x800:
        name = name.encode("cp437", errors="replace").decode(errors="replace")
    if name.startswith("/") or "\\" in name or ".." in name.split("/") or not name.isprintable():
        raise ModelError(f"a packed file is called {name!r}: not taken")
    return name
