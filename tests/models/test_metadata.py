"""TFLite Metadata: published models say what they are known to say, and what is wrong is refused with its reason."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.models import TinyModel, tiny_model

from edged.errors import ModelError
from edged.labeling.calibration import ScoreCalibration, Sigmoid, Transformation, calibrate
from edged.labeling.preprocess import Normalisation
from edged.models.flatbuffer import Node, Number, Reals, Value, write
from edged.models.metadata import (
    METADATA_IDENTIFIER,
    AssociatedFile,
    ColourSpace,
    Content,
    FileKind,
    ModelMetadata,
    TensorGroup,
    TensorMetadata,
)
from edged.models.read_metadata import read_metadata
from edged.models.tflite_file import PackedFile, TfliteFile, inspect

if TYPE_CHECKING:
    from pathlib import Path

FILE = inspect(tiny_model(TinyModel()))  # one input, three classes
AXIS_LABELS, VALUE_LABELS, CALIBRATION = (Number("b", number) for number in (2, 3, 4))


def tflite(root: Node, files: dict[str, bytes] | None = None, file: TfliteFile = FILE) -> TfliteFile:
    packed = tuple(PackedFile(name, data) for name, data in (files or {}).items())
    return TfliteFile(
        file.size,
        file.version,
        file.description,
        file.subgraphs,
        file.inputs,
        file.outputs,
        file.operators,
        write(root, METADATA_IDENTIFIER),
        ("TFLITE_METADATA",),
        "",
        packed,
    )


def read(root: Node, files: dict[str, bytes] | None = None) -> ModelMetadata:
    found = read_metadata(tflite(root, files))
    assert found is not None
    return found


def refused(root: Node, files: dict[str, bytes] | None = None) -> str:
    with pytest.raises(ModelError) as caught:
        read_metadata(tflite(root, files))
    assert len(str(caught.value)) < 300
    return str(caught.value)


def model(output: Node, source: Node | None = None) -> Node:
    """A model of which only the output, or the input too, is told of."""
    inputs = None if source is None else (source,)
    return Node((None, None, None, (Node((None, None, inputs, (output,))),)))


def step(kind: int, *slots: Value | None) -> Node:
    return Node((Number("B", kind), Node(slots)))


def steps(*units: Node) -> Node:
    return Node((None, None, None, None, units))


def labelled(*files: tuple[str, str], kind: Number = AXIS_LABELS) -> Node:
    """An output with label files: name, locale."""
    nodes = tuple(Node((name, None, kind, locale or None)) for name, locale in files)
    return Node((None, None, None, None, None, None, nodes))


def calibrated(
    transformation: int = 0, default: float = 0.25, name: str | None = "calibration.csv", extra: tuple[Node, ...] = ()
) -> Node:
    files = (*extra, *(() if name is None else (Node((name, None, CALIBRATION)),)))
    units = (step(2, Number("b", transformation), Number("f", default)),)
    return model(Node((None, None, None, None, units, None, files or None)))


def test_published_object_labeller_says_its_threshold_and_631_labels_in_two_languages(testdata: Path) -> None:
    found = read_metadata(inspect((testdata / "models/mlkit_object_labeler.tflite").read_bytes()))
    assert found is not None
    assert found.name == "google/object_detection/mobile_object_labeler_V1"
    assert (found.version, found.author, found.licence, found.parser_version) == ("1", "Google", "Apache-2.0", "1.0.0")
    assert (found.input.name, found.input.content, found.input.colours) == ("image", Content.IMAGE, ColourSpace.RGB)
    assert (found.input.size, found.input.normalisation) == ((224, 224), Normalisation((127.5,), (127.5,)))
    assert (found.input.minimum, found.input.maximum) == ((0.0,), (255.0,))
    output = found.output
    assert (output.name, output.content) == ("probability", Content.FEATURE)
    assert output.threshold == pytest.approx(0.35)
    assert output.locales() == ("", "en")
    assert len(output.labels()) == len(output.label_map()) == 631
    assert (output.labels()[0], output.labels("fr")[0], output.label_map()[0]) == (
        "Smart speaker",
        "Smart speaker",
        "/g/11c539qpsz",
    )


@pytest.mark.parametrize(
    ("name", "title", "labels", "stats"),
    [
        ("mobilenet_v1_0.25_128_quant", "ImageClassifier", "imagenet_labels.txt", (0.0, 255.0)),
        ("mobilenet_v1_0.25_128_quant_edgetpu", "ImageClassifier", "imagenet_labels.txt", (0.0, 255.0)),
        ("mobilenet_v2_1.0_224_quant", "ImageClassifier", "imagenet_labels.txt", (0.0, 255.0)),
        ("mobilenet_v1_0.25_224_quant", "MobileNetV1 image classifier (quantized)", "labels.txt", (0.0, 255.0)),
        ("mobilenet_v1_0.25_224_float_metadata", "MobileNetV1 image classifier", "labels.txt", (-1.0, 1.0)),
    ],
)
def test_published_mobilenets_say_their_labels_and_normalisation(
    testdata: Path, name: str, title: str, labels: str, stats: tuple[float, float]
) -> None:
    found = read_metadata(inspect((testdata / "models" / f"{name}.tflite").read_bytes()))
    assert found is not None
    assert found.name == title
    assert found.input.normalisation == Normalisation((127.5,), (127.5,))
    assert (found.input.minimum[0], found.input.maximum[0]) == stats
    assert [file.name for file in found.output.files] == [labels]
    assert (len(found.output.labels()), found.output.labels()[934]) == (1001, "cheeseburger")
    assert (found.output.threshold, found.output.calibration) == (None, None)


def test_models_without_metadata_have_none(testdata: Path) -> None:
    assert read_metadata(FILE) is None
    for name in ("mobilenet_v1_0.25_224_float_no_metadata.tflite", "automl_flowers/model.tflite"):
        assert read_metadata(inspect((testdata / "models" / name).read_bytes())) is None


def test_metadata_that_says_nothing_is_metadata() -> None:
    found = read(Node())
    assert found == ModelMetadata()
    assert (found.input, found.output, found.output.labels(), found.output.locales()) == (
        TensorMetadata(),
        TensorMetadata(),
        (),
        (),
    )


def test_everything_that_the_schema_has_is_read() -> None:
    image = Node((Number("B", 2), Node((Number("b", 2), Node((Number("I", 8), Number("I", 9)))))))
    units = (step(1, Reals((1.0, 2.0, 3.0)), Reals((4.0,))), step(3, Number("f", 0.5)), step(4))
    stats = Node((Reals((255.0,)), Reals((0.0, 1.0))))
    source = Node(("in", "the input", ("batch", "height"), image, units, stats))
    description = Node(("read.me", "all about it", Number("b", 1), "en", "7"))
    groups = ((Node(("one", ("boxes", "scores"))),), (Node(("two", ("classes",))),))
    custom = (Node(("MY_OWN", b"bytes")),)
    graph = Node(("main", "a graph", (source,), (Node(("out",)),), (description,), None, None, *groups, custom))
    root = Node(("name", "what", "1.2", (graph, Node(("second",))), "me", "MIT", (description,), "1.5.0"))
    found = read(root)
    assert (found.name, found.description, found.version, found.author, found.licence) == (
        "name",
        "what",
        "1.2",
        "me",
        "MIT",
    )
    assert found.files == (AssociatedFile("read.me", FileKind.DESCRIPTION, "all about it", "en"),)
    assert found.input == TensorMetadata(
        name="in",
        description="the input",
        dimensions=("batch", "height"),
        content=Content.IMAGE,
        colours=ColourSpace.GREY,
        size=(8, 9),
        normalisation=Normalisation((1.0, 2.0, 3.0), (4.0,)),
        threshold=0.5,
        minimum=(0.0, 1.0),
        maximum=(255.0,),
    )
    first, second = found.subgraphs
    assert (first.name, first.description, first.files, first.custom) == ("main", "a graph", found.files, ("MY_OWN",))
    assert first.input_groups == (TensorGroup("one", ("boxes", "scores")),)
    assert first.output_groups == (TensorGroup("two", ("classes",)),)
    assert (second.name, second.inputs) == ("second", ())


def stated(version: str) -> Node:
    return Node((None, None, None, None, None, None, None, version))


@pytest.mark.parametrize("version", ["", "1", "1.0.0", "1.5", "1.5.0"])
def test_metadata_of_known_versions_is_read(version: str) -> None:
    assert read(stated(version)).parser_version == version


@pytest.mark.parametrize("version", ["1.5.1", "1.10.0", "2"])
def test_metadata_for_newer_readers_is_refused(version: str) -> None:
    assert refused(stated(version)) == (
        f"its TFLite Metadata needs a reader of version {version}; this edged reads up to 1.5.0: update it"
    )


def test_metadata_of_no_version_is_refused() -> None:
    for version in ("one", "1.2.3.4", "-1", "1.", "9" * 5000):
        assert "which is none" in refused(stated(version))


def test_other_flatbuffers_in_metadatas_place_are_refused() -> None:
    wrong = TfliteFile(0, 3, "", 1, FILE.inputs, FILE.outputs, (), b"\x08\0\0\0M002", (), "", ())
    with pytest.raises(ModelError, match="not a M001 file"):
        read_metadata(wrong)


THREE = {"map.txt": b"/m/1\n/m/2\n/m/3", "en.txt": b"One\nTwo\nThree\n", "de.txt": b"Eins\r\nZwei\r\nDrei\r\n"}


@pytest.mark.parametrize(
    ("files", "locale", "first"),
    [
        ([("map.txt", ""), ("de.txt", "de"), ("en.txt", "en")], "en", "One"),
        ([("map.txt", ""), ("de.txt", "de"), ("en.txt", "en")], "de", "Eins"),
        ([("map.txt", ""), ("de.txt", "de"), ("en.txt", "en")], "de-AT", "Eins"),
        ([("map.txt", ""), ("de.txt", "de_AT"), ("en.txt", "en")], "de-at", "Eins"),
        ([("map.txt", ""), ("de.txt", "de-AT"), ("en.txt", "en")], "de", "One"),
        ([("map.txt", ""), ("de.txt", "de"), ("en.txt", "en")], "fr", "One"),
        ([("de.txt", "de"), ("map.txt", "")], "fr", "/m/1"),
        ([("de.txt", "de")], "fr", "Eins"),
        ([("en.txt", "en"), ("de.txt", "en")], "en", "One"),
    ],
)
def test_labels_are_those_of_the_language_asked_for_else_english_else_any(
    files: list[tuple[str, str]], locale: str, first: str
) -> None:
    output = read(model(labelled(*files)), THREE).output
    assert output.labels(locale)[0] == first
    assert output.label_map()[0] == THREE[files[0][0]].split()[0].decode()
    assert output.locales() == tuple(locale for _, locale in files)


def test_labels_of_values_are_not_labels_of_classes() -> None:
    output = read(model(labelled(("en.txt", "en"), kind=VALUE_LABELS)), THREE).output
    assert output.labels() == ()
    assert output.labels(kind=FileKind.VALUE_LABELS) == ("One", "Two", "Three")


def test_lists_of_different_lengths_are_refused_with_both_numbers() -> None:
    said = refused(model(labelled(("en.txt", "en"), ("de.txt", "de"))), THREE | {"de.txt": b"Eins\nZwei\n"})
    assert said == "en.txt has 3 labels and de.txt 2"


def test_label_files_that_are_absent_empty_or_no_text_are_refused() -> None:
    assert "'gone.txt', which is not packed with it" in refused(model(labelled(("gone.txt", ""))), THREE)
    assert "no label in it" in refused(model(labelled(("map.txt", ""))), {"map.txt": b""})
    assert "not UTF-8" in refused(model(labelled(("map.txt", ""))), {"map.txt": b"\xff\n"})


def test_file_that_a_thousand_entries_name_is_read_once() -> None:
    many = {"map.txt": b"x\n" * 200_000}
    output = read(model(labelled(*[("map.txt", "")] * 1000)), many).output
    assert len({id(file.lines) for file in output.files}) == 1
    others = {f"{number}.txt": b"\n" * 200_000 for number in range(6)}
    assert "too many labels" in refused(model(labelled(*[(name, "") for name in others])), others)


def test_metadata_of_another_number_of_tensors_is_refused() -> None:
    graph = Node((None, None, None, (Node(), Node())))
    assert refused(Node((None, None, None, (graph,)))) == "the model has 1 outputs and its metadata tells of 2"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (steps(step(1, Reals((1.0,)), Reals((1.0,))), step(1, Reals((1.0,)), Reals((1.0,)))), "two processing steps"),
        (steps(step(7)), "a step of kind 7"),
        (steps(step(1)), "a normalisation that cannot be"),
        (steps(step(1, Reals((1.0,)), Reals((0.0,)))), "a normalisation that cannot be"),
        (steps(step(1, Reals((math.nan,)), Reals((1.0,)))), "a normalisation that cannot be"),
        (steps(step(1, Reals((1.0,)))), "a normalisation that cannot be"),
        (steps(step(3, Number("f", math.nan))), "a score threshold of nan"),
        (Node((None, None, None, Node((Number("B", 9), Node())))), "a Content of number 9"),
        (Node((None, None, None, Node((Number("B", 2), Node((Number("b", 3),)))))), "a ColourSpace of number 3"),
        (steps(*[step(0)] * 1025), "1025 processing steps"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(output: Node, said: str) -> None:
    assert said in refused(model(output))


def test_kind_of_file_that_came_later_is_left_alone() -> None:
    assert read(model(labelled(("x", ""), kind=Number("b", 99)))).output.files[0].kind is FileKind.UNKNOWN


def test_calibration_is_read_line_by_line() -> None:
    found = read(calibrated(1), {"calibration.csv": b"0.5,2,-1\r\n\r\n1, 2.5e0 ,3,0.125\r\n"}).output.calibration
    assert found == ScoreCalibration(
        Transformation.LOG, 0.25, (Sigmoid(0.5, 2.0, -1.0), None, Sigmoid(1.0, 2.5, 3.0, 0.125))
    )
    last = read(calibrated(), {"calibration.csv": b"1,1,1\n1,1,1\n"}).output.calibration
    assert last is not None
    assert last.sigmoids[2] is None, "an empty last line is the last class's"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"1,1,1\n1,1,1\n1,1\n", "calibration.csv, line 3: '1,1' is not"),
        (b"1,1,1,1,1\n\n\n", "line 1"),
        (b"1,1,x\n\n\n", "line 1"),
        (b"1,1,nan\n\n\n", "line 1"),
        (b"1,inf,1\n\n\n", "line 1"),
        (b"1_0,1,1\n\n\n", "line 1"),
        (b"-1,1,1\n\n\n", "line 1"),
        (b"1,1,1\n", "the model has 3 classes and its calibration.csv 1 lines"),
        (b"1,1,1\n" * 4, "the model has 3 classes and its calibration.csv 4 lines"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_calibration_that_is_none_is_refused(data: bytes, said: str) -> None:
    assert said in refused(calibrated(), {"calibration.csv": data})


def test_calibration_without_its_numbers_is_refused() -> None:
    assert "no file of its numbers" in refused(calibrated(name=None))
    assert "not packed with it" in refused(calibrated())
    assert "a Transformation of number 3" in refused(calibrated(3), {"calibration.csv": b"1,1,1\n" * 3})
    assert "a default score of inf" in refused(calibrated(default=math.inf), {"calibration.csv": b"1,1,1\n" * 3})


def clamped(value: float) -> float:
    """The Task Library's logarithm: log(x), and below 1e-16: 2 log(1e-16) - log(2e-16 - x)."""
    least = 1e-16
    return math.log(value) if value >= least else 2 * math.log(least) - math.log(2 * least - value)


def one_score(score: float, sigmoid: Sigmoid | None, transformation: Transformation, default: float) -> float:
    """The formula of the schema, one score at a time."""
    if sigmoid is None or (sigmoid.least is not None and score < sigmoid.least):
        return default
    match transformation:
        case Transformation.IDENTITY:
            value = score
        case Transformation.LOG:
            value = clamped(score)
        case Transformation.INVERSE_LOGISTIC:
            value = clamped(score) - clamped(1 - score)
    power = sigmoid.slope * value + sigmoid.offset
    return sigmoid.scale / (1 + math.exp(-power)) if power > -700 else 0.0


scores = st.one_of(st.sampled_from([0.0, 1.0, 0.5, 1e-17, 1 - 1e-16]), st.floats(0, 1))
small = st.floats(-8, 8)
sigmoids = st.none() | st.builds(Sigmoid, st.floats(0, 2), small, small, st.none() | st.floats(0, 1))


@given(st.lists(st.tuples(scores, sigmoids), min_size=1, max_size=6), st.sampled_from(Transformation), st.floats(0, 1))
def test_calibrated_scores_are_the_published_formulas(
    rows: list[tuple[float, Sigmoid | None]], transformation: Transformation, default: float
) -> None:
    calibration = ScoreCalibration(transformation, default, tuple(row for _, row in rows))
    found = calibrate(np.array([[score for score, _ in rows]]), calibration)
    wanted = [one_score(score, row, transformation, default) for score, row in rows]
    np.testing.assert_allclose(found, [wanted], rtol=1e-9, atol=1e-12)


def test_calibration_keeps_order_and_overflows_nowhere() -> None:
    values = np.array([-math.inf, -5.0, 0.0, 1e-300, 1e-17, 1e-16, 1e-15, 0.5, 1.0, 7.0, math.inf])
    for transformation in Transformation:
        calibration = ScoreCalibration(transformation, 0.0, (Sigmoid(1.0, 50.0, 0.0),) * len(values))
        found = calibrate(values, calibration)
        assert not np.isnan(found[1:-1]).any()
        assert (np.diff(found[1:-1]) >= 0).all()
        assert ((found[1:-1] >= 0) & (found[1:-1] <= 1)).all()


def test_score_at_its_least_is_calibrated_and_one_below_is_not() -> None:
    calibration = ScoreCalibration(Transformation.IDENTITY, 0.125, (Sigmoid(1.0, 0.0, 0.0, 0.5),) * 2)
    assert calibrate(np.array([0.5, 0.499]), calibration).tolist() == [0.5, 0.125]


def test_scores_of_another_number_of_classes_are_refused() -> None:
    calibration = ScoreCalibration(Transformation.IDENTITY, 0.0, (None,) * 3)
    with pytest.raises(ModelError, match="4 classes and its score calibration 3"):
        calibrate(np.zeros(4), calibration)


def test_numbers_of_a_calibration_are_gathered_once() -> None:
    calibration = ScoreCalibration(Transformation.IDENTITY, 0.0, (Sigmoid(1.0, 1.0, 0.0), None))
    assert calibration.columns is calibration.columns
