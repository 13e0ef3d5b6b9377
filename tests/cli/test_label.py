"""`edged label`, as a user calls it: a process of its own, real files, a real model."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import TinyModel, tiny_model, write_package
from support.pictures import encoded, noise

ROOT = Path(__file__).parents[2]
RED = encoded(np.full((20, 30, 3), (255, 102, 51), np.uint8))
HALF = encoded(
    np.concatenate([np.full((20, 15, 3), (255, 102, 51), np.uint8), np.zeros((20, 15, 3), np.uint8)], axis=1)
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_package(tmp_path / "model", member={"threshold": 0.1})


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    (folder / "a.png").write_bytes(RED)
    (folder / "below" / "b.png").write_bytes(HALF)
    return folder


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "edged", "label", "--threads", "1", *map(str, words)]


def label(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(*words), capture_output=True, check=False, cwd=ROOT, env={**os.environ, **environment}, timeout=60
    )


def lines(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_table_has_a_line_a_photo_folders_looked_through(model: Path, photos: Path) -> None:
    done = label("--model", model, photos)
    assert done.returncode == 0
    assert re.fullmatch(rb"edged: 2 labelled in \d+\.\d s \(\d+ a second\)\n", done.stderr)
    first, second = done.stdout.decode().splitlines()
    assert first == f"{photos}/a.png  red 1.00  green 0.40  blue 0.20"
    assert second == f"{photos}/below/b.png  red 0.50  green 0.20  blue 0.10"


def test_json_is_one_object_a_line_as_promised(model: Path, photos: Path) -> None:
    done = label("--model", model, "--json", photos / "a.png", photos / "below")
    assert done.returncode == 0
    first, second = lines(done)
    timing = first.pop("timing_ms")
    assert set(timing) == {"preprocess", "inference"}
    assert all(0 <= value < 1000 for value in timing.values())
    reference = first.pop("model")
    assert (reference["name"], reference["version"], set(reference)) == ("tiny", "1.0.0", {"name", "version", "digest"})
    assert reference["digest"].startswith("sha256:")
    assert first == {
        "schema": 1,
        "file": str(photos / "a.png"),
        "labels": [
            {"text": "red", "confidence": 1.0, "index": 0},
            {"text": "green", "confidence": 0.4, "index": 1},
            {"text": "blue", "confidence": 0.2, "index": 2},
        ],
        "device": "cpu",
    }
    assert second["file"] == str(photos / "below" / "b.png")


def test_unreadable_photos_are_named_the_rest_is_labelled_and_the_code_is_65(model: Path, photos: Path) -> None:
    (photos / "0.jpg").write_bytes(b"no photo")
    (photos / "cut.jpg").write_bytes(encoded(noise(200, 100), "JPEG")[:2000])
    done = label("--model", model, "--json", photos, photos / "nowhere.png", "/dev/zero")
    assert done.returncode == 65
    summary, *named = done.stderr.decode().splitlines()
    assert summary.startswith("edged: 2 labelled in ")
    assert summary.endswith("; 4 of 6 could not be labelled:")
    assert [line.split(": ")[0].strip() for line in named] == [
        f"{photos}/0.jpg",
        f"{photos}/cut.jpg",
        f"{photos}/nowhere.png",
        "/dev/zero",
    ]
    found = {line["file"]: line for line in lines(done)}
    assert {Path(file).name for file, line in found.items() if "labels" in line} == {"a.png", "b.png"}
    for file, line in found.items():
        if "error" in line:
            assert set(line) == {"schema", "file", "error"}
            assert line["error"].startswith(f"{file}: ")
    assert "No such file or directory" in found[str(photos / "nowhere.png")]["error"]
    assert "not a regular file" in found["/dev/zero"]["error"]
    table = label("--model", model, photos)
    assert table.returncode == 65
    assert f"{photos}/0.jpg: not an image" in table.stdout.decode()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--max", "1"], ["red"]),
        (["--threshold", "0.15"], ["red", "green"]),
        (["--threshold", "0"], ["red", "green", "blue"]),
        (["--region", "0,0,0.5,1", "--threshold", "0.9"], ["red"]),
        (["--region", "0.5,0,0.5,1"], []),
        (["--rotation", "90", "--region", "0,0,1,0.5", "--threshold", "0.9"], ["red"]),
        (["--rotation", "180", "--region", "0,0,0.5,1"], []),
        (["--fit", "crop"], ["red", "green", "blue"]),
        (["--threshold", "1"], []),
    ],
)
def test_options_say_what_is_looked_at_and_what_counts(
    model: Path, photos: Path, words: list[str], wanted: list[str]
) -> None:
    done = label("--model", model, "--json", *words, photos / "below" / "b.png")
    assert done.returncode == 0
    assert [found["text"] for found in lines(done)[0]["labels"]] == wanted


def test_photo_without_labels_is_a_line_too(model: Path, photos: Path) -> None:
    done = label("--model", model, "--threshold", "1", photos / "below")
    assert done.stdout.decode().endswith("b.png  nothing above the threshold\n")
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--region", "0,0,2,1"], 64, "is empty or leaves the picture"),
        (["--region", "left"], 64, "is not four numbers such as 0.5,0,0.5,1"),
        (["--rotation", "45"], 64, "--rotation"),
        (["--fit", "squeeze"], 64, "--fit"),
        (["--max", "0"], 64, "'0' is not a number of labels (1 to 100000)"),
        (["--threshold", "2"], 64, "'2' is not a confidence (0 to 1)"),
        (["--threads", "0"], 64, "'0' is not a number of threads (1 to 1024)"),
        (["--model", "nowhere"], 65, "no model 'nowhere' here"),
        (["--model", "/dev/zero"], 65, "/dev/zero: not a regular file"),
    ],
)
def test_wrong_calls_end_at_once_with_what_is_wrong(photos: Path, words: list[str], code: int, said: str) -> None:
    began = time.monotonic()
    done = label(*words, photos)
    assert (done.returncode, done.stdout) == (code, b"")
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a TensorFlow Lite model (empty)"),
        (tiny_model()[:300], "m.tflite: damaged"),
        (tiny_model(TinyModel(dtype="float32")), "TFLite Metadata (NormalizationOptions) or in model.yaml"),
        (tiny_model(TinyModel(inputs=2)), "the model has 2 inputs"),
        (tiny_model(TinyModel(custom="edgetpu-custom-op")), "compiled for the Edge TPU, cannot run on the CPU"),
        (tiny_model(TinyModel(weights=np.eye(3, dtype=np.float32))), "no confidences"),
    ],
)
def test_model_that_cannot_be_used_ends_with_65_and_the_reason(
    tmp_path: Path, photos: Path, data: bytes, said: str
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    done = label("--model", path, photos)
    assert done.returncode == 65
    assert said in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_empty_folder_is_an_error_that_names_it(model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = label("--model", model, "--json", tmp_path / "empty")
    assert done.returncode == 65
    assert lines(done) == [
        {"schema": 1, "file": f"{tmp_path}/empty", "error": f"{tmp_path}/empty: no photos or videos in this folder"}
    ]


@pytest.mark.parametrize("kind", [[], ["--json"]])
def test_reader_that_goes_away_ends_it_quietly(model: Path, photos: Path, kind: list[str]) -> None:
    for number in range(300):
        (photos / f"{number}.png").write_bytes(RED)
    words = command("--model", model, *kind, photos)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) in (1, 141)


def test_interrupt_ends_it_quickly_and_quietly(model: Path, photos: Path) -> None:
    for number in range(3000):
        (photos / f"{number}.png").symlink_to("a.png")
    words = command("--model", model, "--json", photos)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=10)
    assert process.returncode == 130
    assert time.monotonic() - began < 2
    assert b"Traceback" not in said


def test_base_model_sees_what_is_on_published_photos(testdata: Path) -> None:
    if not (ROOT / "models" / "base" / "model.yaml").exists():
        pytest.skip("models/base has not been built")
    words = ("--json", "--max", "1", "--detail", "fine")
    done = label(*words, testdata / "images" / "burger.jpg", testdata / "images" / "cat.bmp")
    assert done.returncode == 0
    burger, cat = lines(done)
    assert burger["model"]["name"] == "base"
    assert burger["labels"][0]["text"] == "Cheeseburger"
    assert "cat" in cat["labels"][0]["text"].lower()
