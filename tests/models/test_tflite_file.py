"""What a `.tflite` file says of itself, and files that lie."""

from __future__ import annotations

import io
import random
import struct
import time
import tracemalloc
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.models import TinyModel, tiny_model

from edged.engine.worker.wire import TensorSpec
from edged.errors import ModelError
from edged.models.flatbuffer import Node, Number, Reals, write
from edged.models.read_metadata import read_metadata
from edged.models.tflite_file import IDENTIFIER, OPERATORS, TYPES, PackedFile, inspect
from edged.models.write_metadata import Description, LabelList, write_metadata

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHED = (
    "mlkit_object_labeler.tflite",
    "mobilenet_v1_0.25_128_quant.tflite",
    "mobilenet_v1_0.25_128_quant_edgetpu.tflite",
    "mobilenet_v1_0.25_224_float_metadata.tflite",
    "automl_flowers/model.tflite",
)


def with_files(files: dict[str, bytes], method: int = zipfile.ZIP_STORED, model: bytes | None = None) -> bytes:
    out = io.BytesIO()
    out.write(tiny_model() if model is None else model)
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def refused(data: bytes) -> str:
    began = time.monotonic()
    with pytest.raises(ModelError) as caught:
        inspect(data)
    assert time.monotonic() - began < 5
    assert len(str(caught.value)) < 400
    return str(caught.value)


def test_tiny_model_is_known_without_running_it() -> None:
    data = tiny_model(TinyModel(source=(0.5, 7)))
    file = inspect(data)
    assert (file.version, file.description, file.subgraphs, file.size) == (3, "tiny", 1, len(data))
    assert file.inputs == (TensorSpec("tensor0", (1, 8, 8, 3), "uint8", 0.5, 7),)
    assert [(spec.shape, spec.dtype, spec.scale) for spec in file.outputs] == [((1, 3), "float32", 0.0)]
    assert [operator.name for operator in file.operators] == ["DEQUANTIZE", "MEAN", "FULLY_CONNECTED"]
    assert not file.compiled
    assert (file.metadata, file.metadata_names, file.min_runtime, file.files) == (None, (), "", ())


def test_every_input_and_output_is_named() -> None:
    file = inspect(tiny_model(TinyModel(inputs=3, outputs=2)))
    assert (len(file.inputs), len(file.outputs)) == (3, 2)


def test_model_for_the_edge_tpu_is_known_by_its_operator_and_by_nothing_else() -> None:
    assert inspect(tiny_model(TinyModel(custom="edgetpu-custom-op"))).compiled
    assert not inspect(tiny_model(TinyModel(custom="my-edgetpu-custom-op"))).compiled


def test_edge_tpus_operator_without_a_program_is_not_of_its_compiler() -> None:
    file = inspect(tiny_model(TinyModel(custom="edgetpu-custom-op", program=b"")))
    assert not file.compiled
    assert [operator.name for operator in file.operators] == ["edgetpu-custom-op"]


def test_edge_tpus_operator_that_no_graph_uses_does_not_make_a_model_compiled() -> None:
    custom = Node((Number("b", 32), "edgetpu-custom-op"))
    using = Node((Number("I", 1), None, None, None, None, b"program"))
    other = Node((Number("I", 0), None, None, None, None, b"program"))
    for operators, compiled in (((), False), ((other,), False), ((other, using), True)):
        graph = Node((None, None, None, operators))
        data = write(Node((Number("I", 3), (Node(), custom), (graph,))), IDENTIFIER)
        assert inspect(data).compiled is compiled
    assert not inspect(with_files({"notes.txt": b"edgetpu-custom-op"})).compiled


def test_operators_and_types_are_the_published_schemas() -> None:
    operators = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    types = {value: name.lower() for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
    for number, name in enumerate(OPERATORS):
        assert operators[number] == name
    for number, name in enumerate(TYPES):
        assert types[number] == name


def test_operator_that_came_later_has_a_number_for_a_name() -> None:
    graph = Node((None,))
    codes = (Node((Number("b", 127), None, Number("i", 2), Number("i", 9999))), Node((Number("b", 3),)))
    operators = inspect(write(Node((Number("I", 3), codes, (graph,))), IDENTIFIER)).operators
    assert [(operator.name, operator.version) for operator in operators] == [("BUILTIN_9999", 2), ("CONV_2D", 1)]


def test_weights_quantised_by_channel_have_no_one_scale() -> None:
    tensor = Node((None, Number("b", 9), None, "weights", Node((None, None, Reals((0.5, 0.25))))))
    graph = Node(((tensor,), struct.pack("<i", 0)))
    data = bytearray(write(Node((Number("I", 3), None, (graph,))), IDENTIFIER))
    at = data.find(struct.pack("<Ii", 4, 0))  # `inputs` was written as bytes: it is a list of one number
    struct.pack_into("<I", data, at, 1)
    assert inspect(bytes(data)).inputs == (TensorSpec("weights", (), "int8", 0.0, 0),)


@pytest.mark.parametrize(
    "name", [*PUBLISHED, "mobilenet_v1_0.25_224_quant.tflite", "mobilenet_v2_1.0_224_quant.tflite"]
)
def test_published_model_is_what_the_schemas_own_reader_says(testdata: Path, name: str) -> None:
    data = (testdata / "models" / name).read_bytes()
    file, model = inspect(data), schema.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    for specs, count, index in (
        (file.inputs, graph.InputsLength(), graph.Inputs),
        (file.outputs, graph.OutputsLength(), graph.Outputs),
    ):
        assert len(specs) == count
        for number, spec in enumerate(specs):
            tensor = graph.Tensors(index(number))
            assert spec.name == tensor.Name().decode()
            assert spec.shape == tuple(tensor.ShapeAsNumpy())
            assert np.dtype(spec.dtype).name == spec.dtype
            quantised = tensor.Quantization()
            if quantised is not None and quantised.ScaleLength():
                assert (spec.scale, spec.zero_point) == (quantised.Scale(0), quantised.ZeroPoint(0))
    assert len(file.operators) == model.OperatorCodesLength()
    assert file.metadata_names == tuple(model.Metadata(i).Name().decode() for i in range(model.MetadataLength()))


@pytest.mark.parametrize(
    ("name", "size", "files", "runtime"),
    [
        (PUBLISHED[0], 3758192, {"probability-labels.txt": 6127, "probability-labels-en.txt": 5804}, "1.14.0"),
        (PUBLISHED[1], 503776, {"imagenet_labels.txt": 21686}, "1.5.0"),
        (PUBLISHED[2], 779632, {"imagenet_labels.txt": 21686}, ""),
        (PUBLISHED[3], 1883776, {"labels.txt": 10484}, ""),
        (PUBLISHED[4], 451328, {}, ""),
    ],
)
def test_files_packed_with_published_models(
    testdata: Path, name: str, size: int, files: dict[str, int], runtime: str
) -> None:
    file = inspect((testdata / "models" / name).read_bytes())
    assert {packed.name: len(packed.data) for packed in file.files} == files
    assert (file.size, file.min_runtime, file.compiled) == (size, runtime, "edgetpu" in name)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_packed_files_are_found_and_the_last_of_a_name_counts(method: int) -> None:
    data = with_files({"labels.txt": b"a\nb\n", "Größe.txt": b"", "folder/": b"", "folder/x.csv": b"1"}, method)
    file = inspect(data)
    assert file.size == len(tiny_model())
    assert [packed.name for packed in file.files] == ["labels.txt", "Größe.txt", "folder/x.csv"]
    assert (file.packed("labels.txt"), file.packed("Größe.txt"), file.packed("nothing")) == (b"a\nb\n", b"", None)
    again = io.BytesIO(data)
    with zipfile.ZipFile(again, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("labels.txt", b"new")
    assert inspect(again.getvalue()).packed("labels.txt") == b"new"


def test_archive_whose_offsets_count_from_its_own_start_is_read_too() -> None:
    data = tiny_model() + with_files({"labels.txt": b"a\n"}, model=b"")
    assert inspect(data).files == (PackedFile("labels.txt", b"a\n"),)
    assert inspect(data).size == len(tiny_model())


def test_name_in_unmarked_utf8_is_the_name_that_metadata_has() -> None:
    data = with_files({"Gr__e.txt": b"x"}).replace(b"Gr__e.txt", "Grée.txt".encode())
    assert inspect(data).packed("Grée.txt") == b"x"


def test_weights_that_look_like_an_archives_end_are_weights() -> None:
    data = tiny_model() + b"PK\5\6" + b"\xff" * 30
    assert (inspect(data).files, inspect(data).size) == ((), len(data))
    assert inspect(tiny_model() + b"PK\5\6").files == ()


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../b", "a\\b", "line\nbreak", "\x1b[31m"])
def test_names_that_climb_or_hide_are_refused(name: str) -> None:
    data = with_files({"x" * len(name): b"x"}).replace(b"x" * len(name), name.encode())
    assert "a packed file is called" in refused(data)


def test_encrypted_files_and_unusual_methods_are_refused() -> None:
    encrypted = bytearray(with_files({"labels.txt": b"a"}))
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        encrypted[encrypted.rfind(mark) + offset] |= 1
    assert "encrypted" in refused(bytes(encrypted))
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert "unusual way" in refused(with_files({"labels.txt": b"a"}, method))


def test_bombs_are_refused_in_time_and_memory() -> None:
    bomb = with_files({"a": b"\0" * (15 * 2**20)}, zipfile.ZIP_DEFLATED)
    many = with_files({str(number): b"" for number in range(257)})
    large = with_files({str(number): b"\0" * (6 * 2**20) for number in range(3)})
    liar = bytearray(with_files({"a": b"\0" * 1000}, zipfile.ZIP_DEFLATED))
    struct.pack_into("<I", liar, liar.rfind(b"PK\1\2") + 24, 2**32 - 2)
    tracemalloc.start()
    try:
        assert "unpacks to" in refused(bomb)
        assert "packed files" in refused(many)
        assert "more than 16 MB" in refused(large)
        assert "more than 16 MB" in refused(bytes(liar))
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


def test_directory_of_a_million_entries_is_not_read() -> None:
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    directory = entry * 200_000
    for count in (1, 0xFFFF):
        end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), 0, 0)
        assert "more packed files" in refused(tiny_model() + directory + end)


def test_directory_with_more_entries_than_it_says_is_refused() -> None:
    data = bytearray(with_files({str(number): b"" for number in range(300)}))
    struct.pack_into("<2H", data, data.rfind(b"PK\5\6") + 8, 1, 1)
    assert "packed files" in refused(bytes(data))


def test_folder_that_lies_outside_of_the_file_is_refused() -> None:
    data = bytearray(with_files({"folder/": b""}))
    struct.pack_into("<I", data, data.rfind(b"PK\1\2") + 42, 2**32 - 2)
    assert "outside of the file" in refused(bytes(data))


def test_long_archives_are_refused() -> None:
    data = with_files({"a": b"x"})
    at = data.rfind(b"PK\5\6")
    assert "more packed files" in refused(data[:at] + b"PK\6\7" + bytes(16) + data[at:])


def test_damaged_packed_files_are_refused() -> None:
    data = with_files({"labels.txt": b"a label"})
    assert "damaged" in refused(data.replace(b"a label", b"A label"))
    broken = bytearray(data)
    struct.pack_into("<I", broken, broken.rfind(b"PK\1\2") + 42, 0x7FFFFFFF)  # where the file lies
    assert "damaged" in refused(bytes(broken))
    struct.pack_into("<I", broken, broken.rfind(b"PK\5\6") + 12, 40_000)  # how long the directory is
    assert "damaged" in refused(bytes(broken))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a TensorFlow Lite model (empty)"),
        (b"<html>404</html>", "not a TensorFlow Lite model (no TFL3 mark)"),
        (b"\x1c\0\0\0TFL3", "damaged"),
        (write(Node((Number("I", 3),)), IDENTIFIER), "a model without a graph"),
        (write(Node((None, tuple([Node()] * 1025), (Node(),))), IDENTIFIER), "1025 operators"),
    ],
)
def test_what_is_no_model_is_refused(data: bytes, said: str) -> None:
    assert said in refused(data)


def model_with(metadata: tuple[Any, ...], buffers: tuple[Any, ...]) -> bytes:
    return write(Node((Number("I", 3), None, (Node(),), None, buffers, None, metadata)), IDENTIFIER)


def test_metadata_that_lies_behind_the_flatbuffer_is_found() -> None:
    entry = Node(("TFLITE_METADATA", Number("I", 1)))
    head = model_with((entry,), (Node(), Node((None, Number("Q", 400), Number("Q", 5)))))
    assert inspect(head.ljust(400, b"\0") + b"found").metadata == b"found"
    assert inspect(head).metadata == b""


def test_metadata_that_is_nowhere_or_too_large_is_refused() -> None:
    entry = Node(("TFLITE_METADATA", Number("I", 7)))
    assert "entry 7 of a list of 1" in refused(model_with((entry,), (Node(),)))
    large = Node((bytes(4 * 2**20 + 1),))
    entry = Node(("TFLITE_METADATA", Number("I", 0)))
    assert "4 MB are taken" in refused(model_with((entry,), (large,)))


def test_every_beginning_of_a_model_is_refused_or_says_something() -> None:
    labels = LabelList(("red", "green", "blue"))
    whole = write_metadata(tiny_model(), Description(name="tiny", labels=(labels,)))
    accepted = [length for length in range(len(whole)) if read(whole[:length]) is not None]
    assert len(accepted) < len(whole) / 2


def read(data: bytes) -> object:
    """What is read of a file, None where it is refused; anything else than ModelError fails the test."""
    began = time.monotonic()
    try:
        file = inspect(data)
        return (file, read_metadata(file))
    except ModelError as error:
        assert len(str(error)) < 1000, str(error)  # noqa: PT017  either outcome is right
        return None
    finally:
        assert time.monotonic() - began < 5


def damage(rng: random.Random, data: bytes, hot: list[tuple[int, int]]) -> bytes:
    """A few bytes changed, most of them where the file says what it holds."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        start, end = rng.choice(hot) if rng.random() < 0.9 else (0, len(data))
        at = min(rng.randrange(start, end), len(changed) - 1)
        match rng.randrange(5):
            case 0:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                changed[at] = rng.randrange(256)
            case 2:
                value = rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(data), rng.randrange(2**32)])
                changed[at : at + 4] = struct.pack("<I", value)[: len(changed) - at]
            case 3:
                changed[at : at + 2] = rng.randbytes(2)[: len(changed) - at]
            case 4:
                del changed[at : at + rng.randrange(1, 9)]
    return bytes(changed)


@pytest.mark.parametrize("name", PUBLISHED)
def test_mutated_published_models_are_refused_or_read(testdata: Path, name: str) -> None:
    data = (testdata / "models" / name).read_bytes()
    root = int.from_bytes(data[:4], "little")
    size = inspect(data).size
    directory = data.rfind(b"PK\1\2") if size < len(data) else len(data) - 200
    metadata = max(data.find(b"M001"), 4) - 4
    hot = [(0, 16), (max(root - 60, 0), root + 400), (metadata, metadata + 700), (directory, len(data))]
    hot.append((size - 4000, size))
    rng = random.Random(name)  # noqa: S311  the same every time
    outcomes = [read(damage(rng, data, hot)) is not None for _ in range(800)]
    assert any(outcomes)
    assert not all(outcomes)


def test_mutated_small_model_is_refused_or_read() -> None:
    lists = (LabelList(("red", "green", "blue")), LabelList(("rot", "grün", "blau"), "de"))
    data = write_metadata(tiny_model(), Description("tiny", "a test", labels=lists, threshold=0.25))
    rng = random.Random(5)  # noqa: S311  the same every time
    outcomes = [read(damage(rng, data, [(0, len(data))])) is not None for _ in range(3000)]
    assert any(outcomes)
    assert not all(outcomes)
