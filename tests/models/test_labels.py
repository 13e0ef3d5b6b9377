"""Label lists in the forms that people have them in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.errors import ModelError
from edged.models.labels import AutoMlManifest, check_count, read_labels, read_lines, read_manifest

if TYPE_CHECKING:
    from pathlib import Path

words = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0\ufeff"), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("red\ngreen\nblue", ("red", "green", "blue")),
        ("red\ngreen\nblue\n", ("red", "green", "blue")),
        ("\ufeffred\r\ngreen\r\n", ("red", "green")),
        ("red\n\n\r\n  \n", ("red",)),
        ("red\n\nblue\n", ("red", "", "blue")),
        ("a\x0bb\nc\x85d\ne\u2028f\n", ("a\x0bb", "c\x85d", "e\u2028f")),
        ("tench, Tinca tinca\ngoldfish, Carassius auratus\n", ("tench, Tinca tinca", "goldfish, Carassius auratus")),
        ("0 Class 1\n1 Class 2\n", ("Class 1", "Class 2")),  # Teachable Machine
        ("0  background\n1  tench, Tinca tinca\n", ("background", "tench, Tinca tinca")),  # Coral
        ("0: background\r\n1: tench\r\n", ("background", "tench")),
        ("0,daisy\n1,rose, red\n", ("daisy", "rose, red")),
        ("0\tdaisy\n1\t2 roses", ("daisy", "2 roses")),
        ("00 first\n01 second\n", ("first", "second")),
        ("1 Class 1\n2 Class 2\n", ("1 Class 1", "2 Class 2")),  # not from 0
        ("0 a\n2 b\n", ("0 a", "2 b")),  # not every number
        ("0 a\nb\n", ("0 a", "b")),  # not every line
        ("1 a\n0 b\n", ("1 a", "0 b")),  # not in order
        ("0\n1\n2\n", ("0", "1", "2")),  # digits themselves are the labels
        ("0 \n1 \n", ("0 ", "1 ")),
        ("3 bears\n7 dwarfs\n", ("3 bears", "7 dwarfs")),
    ],
)
def test_labels_are_what_people_meant(text: str, wanted: tuple[str, ...]) -> None:
    assert read_labels(text.encode(), "labels.txt") == wanted


def test_empty_last_labels_are_kept_where_the_model_has_them() -> None:
    assert read_labels(b"a\nb\n\n\n", "x", classes=3) == ("a", "b", "")
    assert read_labels(b"a\nb\n\n\n", "x", classes=2) == ("a", "b")
    assert read_labels(b"a\nb\n\n\n", "x", classes=9) == ("a", "b", "", "")
    assert read_labels(b"a\nb\n", "x", classes=1) == ("a", "b"), "a label is never dropped"


@given(st.lists(words, min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_lines_are_the_lines_that_were_written(lines: list[str], end: str, last: bool) -> None:  # noqa: FBT001
    text = end.join(lines) + (end if last else "")
    assert read_lines(text.encode(), "x") == tuple(lines)


@given(
    st.lists(words.map(str.strip).filter(lambda word: word and word[0] not in ":,"), min_size=1, max_size=8),
    st.sampled_from([" ", "  ", ": ", ",", "\t"]),
)
def test_numbers_are_taken_off_and_nothing_else(labels: list[str], between: str) -> None:
    numbered = "\n".join(f"{index}{between}{label}" for index, label in enumerate(labels))
    assert read_labels(numbered.encode(), "x") == tuple(labels)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"caf\xe9\n", "not UTF-8 text (byte 3)"),
        ("rot\ngrün\n".encode("utf-16"), "not UTF-8 text"),
        ("rot\nblau\n".encode("utf-16-le"), "UTF-16?"),
        (b"\x89PNG\r\n\x1a\n", "not UTF-8"),
        (b"", "no label in it"),
        (b"\n\r\n  \n", "no label in it"),
        (b"x" * (4 * 2**20 + 1), "larger than 4 MB"),
        (b"\n" * 250_001, "more than 250000 labels"),
    ],
)
def test_files_that_are_no_labels_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        read_labels(data, "labels.txt")
    assert str(caught.value).startswith("labels.txt: ")
    assert said in str(caught.value)


def test_published_label_files(testdata: Path) -> None:
    labels = read_labels((testdata / "models/imagenet_labels.txt").read_bytes(), "imagenet_labels.txt")
    assert (len(labels), labels[0], labels[934]) == (1001, "background", "cheeseburger")


def test_published_automl_folder(testdata: Path) -> None:
    folder = testdata / "models/automl_flowers"
    manifest = read_manifest((folder / "manifest.json").read_bytes(), "manifest.json")
    assert manifest == AutoMlManifest("model.tflite", "dict.txt")
    labels = read_labels((folder / manifest.labels).read_bytes(), manifest.labels)
    assert labels == ("daisy", "dandelion", "roses", "sunflowers", "tulips")


@pytest.mark.parametrize(
    "text",
    [
        '{"modelFile": "m.tflite", "labelsFile": "l, }.txt", "modelType": "IMAGE_LABELING",}',
        '\ufeff{"modelType":"IMAGE_LABELING",\r\n"modelFile":"m.tflite","labelsFile":"l, }.txt"\r\n,\r\n}\r\n',
        '{"modelFile": "m.tflite", "labelsFile": "l, }.txt", "more": [1, 2, ], "x": "\\","}',
    ],
)
def test_manifests_with_trailing_commas_are_read_and_texts_stay_whole(text: str) -> None:
    assert read_manifest(text.encode(), "manifest.json") == AutoMlManifest("m.tflite", "l, }.txt")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[", "not JSON"),
        ("[" * 4000, "not JSON"),
        ("[]", "valid dictionary"),
        ('{"modelFile": "m.tflite"}', "labelsFile: Field required"),
        ('{"modelFile": "../m.tflite", "labelsFile": "l"}', "modelFile: "),
        ('{"modelFile": "/m.tflite", "labelsFile": "l"}', "modelFile: "),
        ('{"modelFile": "a\\\\b", "labelsFile": "l"}', "modelFile: "),
        ('{"modelFile": "m", "labelsFile": ".."}', "labelsFile: "),
        ('{"modelFile": "m", "labelsFile": "a\\nb"}', "labelsFile: "),
        ('{"modelFile": "m", "labelsFile": ["l"]}', "labelsFile: "),
        ('{"modelFile": "m", "labelsFile": "l", "modelType": "OBJECT_DETECTION"}', "edged takes IMAGE_LABELING"),
        ("{" + " " * 5000 + "}", "larger than 4096 bytes"),
        ('"' + '\\"' * 2000, "not JSON"),
        ("," + " " * 4000, "not JSON"),
        ("," * 4000, "not JSON"),
    ],
)
def test_what_is_no_manifest_is_refused_at_once(text: str, said: str) -> None:
    began = time.monotonic()
    with pytest.raises(ModelError) as caught:
        read_manifest(text.encode(), "manifest.json")
    assert time.monotonic() - began < 2
    assert said in str(caught.value)
    assert len(str(caught.value)) < 500


def test_manifest_that_is_not_text_is_refused() -> None:
    with pytest.raises(ModelError, match="not JSON"):
        read_manifest(b"\xff\xfe\xfd", "manifest.json")


def test_wrong_number_of_labels_is_said_with_both_numbers() -> None:
    check_count(3, 3, "label file")
    with pytest.raises(ModelError, match="the model has 1001 classes and its label file 1000 lines"):
        check_count(1000, 1001, "label file")
