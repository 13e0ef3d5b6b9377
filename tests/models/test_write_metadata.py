"""Metadata that is written is read again, by edged and by MediaPipe, and the model gives what it gave before.

MediaPipe is asked in an interpreter of its own: $EDGED_MEDIAPIPE_PYTHON, one with MediaPipe 1.2 installed.
"""

from __future__ import annotations

import random
import struct
import zipfile
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.mediapipe import answers_of_mediapipe, ask_mediapipe
from support.models import TinyModel, tiny_model

from edged.errors import ModelError
from edged.labeling.calibration import ScoreCalibration, Sigmoid, Transformation, calibrate
from edged.labeling.preprocess import Normalisation
from edged.models.flatbuffer import Node, Number, write
from edged.models.metadata import ColourSpace, Content, FileKind
from edged.models.read_metadata import read_metadata
from edged.models.tflite_file import IDENTIFIER, inspect
from edged.models.write_metadata import Description, LabelList, write_metadata

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

COLOURS = LabelList(("red", "green", "blue"))
NAMES = LabelList(("Rot", "Grün", "Blau"), "de")
FULL = Description(
    "Colours",
    "Which colour it is, für Tests",
    "1.2.0",
    "The edged authors",
    "Apache-2.0",
    (COLOURS, NAMES, LabelList(("Red", "Green", "Blue"), "en")),
    Normalisation((127.5, 127.0, 126.5), (127.5, 127.0, 126.5)),
    0.25,
    ScoreCalibration(Transformation.LOG, 0.125, (Sigmoid(0.75, 2.0, -0.5), None, Sigmoid(1.0, 0.1, 3.0, 0.375))),
)
PUBLISHED = (
    "mlkit_object_labeler.tflite",
    "mobilenet_v1_0.25_128_quant.tflite",
    "mobilenet_v1_0.25_224_float_no_metadata.tflite",
    "mobilenet_v1_0.25_224_float_metadata.tflite",
    "automl_flowers/model.tflite",
)

texts = st.text(st.characters(codec="utf-8"), max_size=10)
words = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0\ufeff"), max_size=10)
floats = st.floats(-1e6, 1e6, width=32)
spreads = floats.filter(lambda value: value != 0)
labels = st.lists(
    st.builds(LabelList, st.tuples(words, words, words), st.sampled_from(["", "en", "de", "pt-BR", "zh_Hant"])),
    max_size=3,
    unique_by=lambda entry: entry.locale,
).map(tuple)
sigmoids = st.none() | st.builds(
    Sigmoid, st.floats(0, 1e3), floats.map(float), floats.map(float), st.none() | floats.map(float)
)
calibrations = st.builds(
    ScoreCalibration, st.sampled_from(Transformation), floats, st.tuples(sigmoids, sigmoids, sigmoids)
).filter(lambda calibration: any(calibration.sigmoids))
normalisations = st.builds(Normalisation, st.tuples(floats), st.tuples(spreads)) | st.builds(
    Normalisation, st.tuples(floats, floats, floats).filter(lambda mean: len(set(mean)) > 1), st.tuples(*[spreads] * 3)
)
descriptions = st.builds(
    Description,
    texts,
    texts,
    texts,
    texts,
    texts,
    labels,
    st.none() | normalisations,
    st.none() | floats,
    st.none() | calibrations,
)


def read(data: bytes) -> Description:
    metadata = read_metadata(inspect(data))
    assert metadata is not None
    return Description.of(metadata)


def run(data: bytes) -> NDArray[Any]:
    """What the model answers to the same noise each time."""
    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    noise = np.random.default_rng(1).integers(0, 100, source["shape"]).astype(source["dtype"])
    interpreter.set_tensor(source["index"], noise)
    interpreter.invoke()
    answer: NDArray[Any] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return answer


def for_model(data: bytes) -> Description:
    """A description with as many labels as the model has classes."""
    classes = inspect(data).outputs[0].shape[-1]
    lists = (LabelList(tuple(f"label {i}" for i in range(classes))), LabelList(("Ü",) * classes, "de"))
    return Description("Packed", "by a test", "1.0.0", labels=lists, normalisation=Normalisation((127.5,), (127.5,)))


@given(descriptions)
@settings(max_examples=60, deadline=None)
def test_what_was_written_is_read(description: Description) -> None:
    assert read(write_metadata(tiny_model(), description)) == description
    model = tiny_model()
    assert model in write_metadata(model, description)


def test_everything_that_can_be_said_is_read() -> None:
    data = write_metadata(tiny_model(), FULL)
    assert read(data) == FULL
    metadata = read_metadata(inspect(data))
    assert metadata is not None
    assert metadata.parser_version == "1.0.0"
    assert (metadata.input.content, metadata.input.colours) == (Content.IMAGE, ColourSpace.RGB)
    assert metadata.output.content is Content.FEATURE
    assert metadata.output.labels("de") == NAMES.labels
    assert [file.kind for file in metadata.output.files] == [FileKind.AXIS_LABELS] * 3 + [FileKind.CALIBRATION]


def test_description_of_nothing_is_written_too() -> None:
    data = write_metadata(tiny_model(), Description())
    assert read(data) == Description()
    assert inspect(data).files == ()


def test_grey_model_says_so() -> None:
    grey = tiny_model(TinyModel(shape=(1, 8, 8, 1), weights=np.ones((3, 1), np.float32)))
    metadata = read_metadata(inspect(write_metadata(grey, Description())))
    assert metadata is not None
    assert metadata.input.colours is ColourSpace.GREY


def test_equal_means_and_deviations_become_one_of_each_as_mediapipe_wants() -> None:
    description = Description(normalisation=Normalisation((127.5,) * 3, (127.5,)))
    found = read(write_metadata(tiny_model(), description)).normalisation
    assert found == Normalisation((127.5,), (127.5,))


def test_one_mean_and_three_deviations_become_three_of_each_as_the_task_library_wants() -> None:
    description = Description(normalisation=Normalisation((127.5,), (1.0, 2.0, 3.0)))
    found = read(write_metadata(tiny_model(), description)).normalisation
    assert found == Normalisation((127.5, 127.5, 127.5), (1.0, 2.0, 3.0))


def test_written_file_is_the_model_behind_a_new_head_and_before_the_label_files() -> None:
    model = tiny_model()
    data = write_metadata(model, FULL)
    file = inspect(data)
    at = data.find(model)
    assert at > 0
    assert at % 64 == 0, "weights stay aligned"
    assert at + len(model) == file.size
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.testzip() is None
    assert write_metadata(model, FULL) == data, "the same bytes every time"


def test_metadata_that_was_there_is_replaced_and_what_is_beside_it_stays() -> None:
    first = write_metadata(tiny_model(), FULL)
    second = write_metadata(first, Description("Other", labels=(COLOURS,)))
    assert read(second) == Description("Other", labels=(COLOURS,))
    file = inspect(second)
    assert [packed.name for packed in file.files] == ["labels.txt"]
    assert file.metadata_names == ("TFLITE_METADATA",)
    np.testing.assert_array_equal(run(second), run(tiny_model()))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
def test_tiny_models_answer_what_they_answered(dtype: str) -> None:
    model = tiny_model(TinyModel(dtype=dtype, output=(1, 1, 1, 3)))
    data = write_metadata(model, FULL)
    np.testing.assert_array_equal(run(data), run(model))
    np.testing.assert_array_equal(run(write_metadata(data, FULL)), run(model))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_answer_what_they_answered(testdata: Path, name: str) -> None:
    model = (testdata / "models" / name).read_bytes()
    description = for_model(model)
    data = write_metadata(model, description)
    assert read(data) == description
    np.testing.assert_array_equal(run(data), run(model))
    before, after = inspect(model), inspect(data)
    assert after.min_runtime == before.min_runtime
    assert after.operators == before.operators
    assert set(after.metadata_names) == {*before.metadata_names, "TFLITE_METADATA"}
    old, new = schema.Model.GetRootAs(model, 0), schema.Model.GetRootAs(data, 0)
    assert new.BuffersLength() == old.BuffersLength() + 1
    for index in range(old.BuffersLength()):
        assert np.array_equal(new.Buffers(index).DataAsNumpy(), old.Buffers(index).DataAsNumpy())


def test_metadata_of_a_published_model_is_kept_where_it_is_not_changed(testdata: Path) -> None:
    model = (testdata / "models/mlkit_object_labeler.tflite").read_bytes()
    data = write_metadata(model, replace(read(model), threshold=0.5))
    assert read(data) == replace(read(model), threshold=0.5)
    assert len(read(data).labels[1].labels) == 631


@pytest.mark.parametrize(
    ("description", "said"),
    [
        (Description(labels=(LabelList(("red",)),)), "the model has 3 classes and its label list 1 lines"),
        (Description(labels=(LabelList(("a", "b"), "de"),)), "the model has 3 classes and its label list de 2 lines"),
        (Description(labels=(COLOURS, COLOURS)), "two lists of labels in one language"),
        (Description(labels=(replace(COLOURS, locale="../x"),)), "none that there is: '../x'"),
        (Description(labels=(LabelList(("a\nb", "c", "d")),)), "a line break"),
        (Description(labels=(LabelList(("a", "b\r", "d")),)), "a line break"),
        (Description(labels=(LabelList(("\ufeffa", "b", "d")),)), "a byte order mark"),
        (Description(labels=(LabelList(("\ud800", "b", "d")),)), "cannot be written as UTF-8"),
        (Description(name="\ud800"), "cannot be written as UTF-8"),
        (Description(normalisation=Normalisation((1.0, 2.0), (1.0,))), "2 means and 1 deviations for 3 channels"),
        (Description(normalisation=Normalisation((), ())), "0 means and 0 deviations"),
        (Description(normalisation=Normalisation((1.0,), (0.0,))), "a normalisation that cannot be"),
        (Description(normalisation=Normalisation((1e300,), (1.0,))), "too large"),
        (Description(threshold=float("nan")), "a score threshold of nan"),
        (Description(calibration=ScoreCalibration(Transformation.LOG, 0.0, (None,) * 3)), "without numbers"),
        (Description(calibration=ScoreCalibration(Transformation.LOG, 0.0, (None,))), "score calibration 1 lines"),
    ],
)
def test_descriptions_that_do_not_fit_are_refused(description: Description, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        write_metadata(tiny_model(), description)
    assert said in str(caught.value)


def test_models_that_are_no_image_classifiers_are_refused() -> None:
    for model, said in (
        (TinyModel(inputs=2), "2 inputs and 1 outputs"),
        (TinyModel(outputs=2), "1 inputs and 2 outputs"),
        (TinyModel(shape=(1, 8, 8, 4), weights=np.ones((3, 4), np.float32)), r"\[1, 8, 8, 4\]"),
    ):
        with pytest.raises(ModelError, match=said):
            write_metadata(tiny_model(model), Description())


def graph_with(operator: Node | None = None) -> Node:
    tensor = Node((None, Number("b", 3)))
    return Node(((tensor,), b"", b"", () if operator is None else (operator,)))


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        ((None, None, (graph_with(),), None, (Node(),), None, None, None, Number("I", 1)), "newer TensorFlow Lite"),
        ((None, None, (graph_with(),), None, (Node(), Node((None, Number("Q", 99))))), "weights behind"),
        ((None, None, (graph_with(Node((None,) * 9 + (Number("Q", 99),))),), None, (Node(),)), "weights behind"),
        ((None, None, (graph_with(),), None, ()), "or there are none"),
    ],
)
def test_files_whose_parts_would_be_lost_are_refused(
    monkeypatch: pytest.MonkeyPatch, slots: tuple[Any, ...], said: str
) -> None:
    classifier = inspect(tiny_model())
    data = write(Node(slots), IDENTIFIER)
    monkeypatch.setattr(
        "edged.models.write_metadata.inspect", lambda _: replace(classifier, size=len(data), metadata=None)
    )
    with pytest.raises(ModelError, match=said):
        write_metadata(data, Description())


def test_archive_that_begins_among_the_weights_is_refused() -> None:
    """A buffer that looks like a packed file, and a directory behind the model that says it is one."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("x"), b"")
    packed = out.getvalue()
    directory, end = packed.index(b"PK\1\2"), packed.index(b"PK\5\6")
    data = write_metadata(tiny_model(), Description(description=packed[:directory].decode("ascii")))
    entry, record = bytearray(packed[directory:end]), bytearray(packed[end:])
    struct.pack_into("<I", entry, 42, data.index(b"PK\3\4"))
    struct.pack_into("<I", record, 16, len(data))
    data += entry + record
    assert [file.name for file in inspect(data).files] == ["x"]
    with pytest.raises(ModelError, match="weights lie where the packed files are"):
        write_metadata(data, FULL)


def test_damaged_models_are_refused_or_rewritten() -> None:
    rng = random.Random(3)  # noqa: S311  the same every time
    data = write_metadata(tiny_model(), FULL)
    for _ in range(1500):
        changed = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        try:
            assert inspect(write_metadata(bytes(changed), FULL)).outputs
        except ModelError as error:
            assert len(str(error)) < 1000  # noqa: PT017  either outcome is right


READ_AS_MEDIAPIPE = """
import json, sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
folder = Path(find_spec("mediapipe").submodule_search_locations[0]) / "tasks" / "metadata"
spec = spec_from_file_location("schema", folder / "metadata_schema_py_generated.py")
schema = module_from_spec(spec)
spec.loader.exec_module(schema)
def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (list, tuple)) or hasattr(value, "tolist"):
        return [plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value.tolist()
    if hasattr(value, "__dict__"):
        return {key: plain(entry) for key, entry in vars(value).items() if entry is not None}
    return value
data = Path(sys.argv[1]).read_bytes()
print("ANSWER " + json.dumps(plain(schema.ModelMetadataT.InitFromObj(schema.ModelMetadata.GetRootAs(data, 0)))))
"""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (8, 8), (200, 100, 50)).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def test_mediapipe_classifies_with_the_labels_and_the_threshold_that_were_written(
    tmp_path: Path, picture: Path
) -> None:
    model = write_metadata(tiny_model(), replace(FULL, calibration=None))
    ((head, rows),) = answers_of_mediapipe(tmp_path, picture, [model], "de")
    assert head == "probability"
    assert [row[:3] for row in rows] == [[0, "red", "Rot"], [1, "green", "Grün"]], "blue is below the threshold"
    np.testing.assert_allclose([row[3] for row in rows], [200 / 255, 100 / 255], atol=1e-5)


def test_mediapipe_normalises_float_pictures_as_was_written(tmp_path: Path, picture: Path) -> None:
    model = tiny_model(TinyModel(dtype="float32", weights=np.eye(3, dtype=np.float32)))
    normalisations = [Normalisation((10.0,), (400.0,)), Normalisation((10.0,) * 3, (400.0,) * 3)]
    normalisations.append(Normalisation((10.0, 20.0, 30.0), (400.0,)))
    models = [write_metadata(model, Description(labels=(COLOURS,), normalisation=each)) for each in normalisations]
    same, equal, different = answers_of_mediapipe(tmp_path, picture, models)
    np.testing.assert_allclose([row[3] for row in same[1]], [190 / 400, 90 / 400, 40 / 400], atol=1e-5)
    assert same == equal
    assert "Per-channel image normalization is not available" in different[0], "MediaPipe can do it now: say so"


def test_mediapipe_calibrates_as_edged_does(tmp_path: Path, picture: Path) -> None:
    thirds = (Sigmoid(1.0, 0.1, 3.0, 0.375), Sigmoid(0.9, 1.5, 0.25, 0.125), None)
    calibrations = [
        ScoreCalibration(transformation, 0.0625, (Sigmoid(0.75, 2.0, -0.5), Sigmoid(1.0, -1.0, 0.0), third))
        for transformation in Transformation
        for third in thirds
    ]
    models = [write_metadata(tiny_model(), Description(labels=(COLOURS,), calibration=each)) for each in calibrations]
    for calibration, (_, rows) in zip(calibrations, answers_of_mediapipe(tmp_path, picture, models), strict=True):
        wanted = calibrate(np.array([200, 100, 50]) / 255, calibration)
        np.testing.assert_allclose([row[3] for row in rows], wanted, atol=1e-5)


def test_mediapipes_own_schema_reads_every_field(tmp_path: Path) -> None:
    path = tmp_path / "metadata"
    metadata = inspect(write_metadata(tiny_model(), FULL)).metadata
    assert metadata is not None
    path.write_bytes(metadata)
    found = ask_mediapipe(READ_AS_MEDIAPIPE, path)
    assert [found[key] for key in ("name", "version", "author", "license", "minParserVersion")] == [
        "Colours",
        "1.2.0",
        "The edged authors",
        "Apache-2.0",
        "1.0.0",
    ]
    (graph,) = found["subgraphMetadata"]
    (source,), (output,) = graph["inputTensorMetadata"], graph["outputTensorMetadata"]
    assert source["content"] == {"contentPropertiesType": 2, "contentProperties": {"colorSpace": 1}}
    assert source["processUnits"] == [
        {"optionsType": 1, "options": {"mean": [127.5, 127.0, 126.5], "std": [127.5, 127.0, 126.5]}}
    ]
    assert output["processUnits"] == [
        {"optionsType": 2, "options": {"scoreTransformation": 1, "defaultScore": 0.125}},
        {"optionsType": 3, "options": {"globalScoreThreshold": 0.25}},
    ]
    files = [(file["name"], file["type"], file.get("locale")) for file in output["associatedFiles"]]
    assert files == [
        ("labels.txt", 2, None),
        ("labels-de.txt", 2, "de"),
        ("labels-en.txt", 2, "en"),
        ("score_calibration.txt", 4, None),
    ]


def test_mediapipe_labels_a_burger_with_a_published_model_that_had_no_metadata(testdata: Path, tmp_path: Path) -> None:
    model = (testdata / "models/mobilenet_v1_0.25_224_float_no_metadata.tflite").read_bytes()
    names = (testdata / "models/imagenet_labels.txt").read_text().splitlines()
    description = Description(labels=(LabelList(tuple(names)),), normalisation=Normalisation((127.5,), (127.5,)))
    ((_, rows),) = answers_of_mediapipe(tmp_path, testdata / "images/burger.jpg", [write_metadata(model, description)])
    best = max(rows, key=lambda row: float(row[3]))
    assert best[:2] == [934, "cheeseburger"]
    assert best[3] == pytest.approx(0.989, abs=0.01)
