"""Model packages: what is there and right is opened; everything else is an error that says what and where."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from support.models import tiny_model, write_package

from edged.errors import ModelError
from edged.labeling.preprocess import Fit, Normalisation
from edged.models.package import find_model, open_package

if TYPE_CHECKING:
    from pathlib import Path


def refused(path: Path) -> str:
    began = time.monotonic()
    with pytest.raises(ModelError) as caught:
        open_package(path)
    assert time.monotonic() - began < 5
    assert str(caught.value).startswith(str(path)), "the error names the file"
    return str(caught.value)


def test_package_is_what_its_manifest_says(tmp_path: Path) -> None:
    member: dict[str, Any] = {"normalisation": {"mean": [127.5], "std": [1, 2, 3]}, "fit": "crop", "threshold": 0.25}
    package = open_package(write_package(tmp_path / "p", member=member))
    manifest = (tmp_path / "p" / "model.yaml").read_bytes()
    assert (package.ref.name, package.ref.version) == ("tiny", "1.0.0")
    assert package.ref.digest == f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    (found,) = package.members
    assert found.labels == ("red", "green", "blue")
    assert found.normalisation == Normalisation((127.5,), (1.0, 2.0, 3.0))
    assert (found.fit, found.threshold, found.file) == (Fit.CROP, 0.25, tmp_path / "p" / "tiny.tflite")


def test_threshold_is_the_makers_else_a_half_for_base_and_nothing_for_others(tmp_path: Path) -> None:
    assert open_package(write_package(tmp_path / "a")).members[0].threshold == 0.0
    assert open_package(write_package(tmp_path / "b", name="base")).members[0].threshold == 0.5
    assert (
        open_package(write_package(tmp_path / "c", name="base", member={"threshold": 0.0})).members[0].threshold == 0.0
    )


def test_bare_file_is_a_package_and_its_digest_is_the_files(tmp_path: Path) -> None:
    path = tmp_path / "flowers.v2.tflite"
    path.write_bytes(tiny_model())
    package = open_package(path)
    assert package.ref.name == "flowers.v2"
    assert package.ref.digest == f"sha256:{hashlib.sha256(tiny_model()).hexdigest()}"
    assert package.members[0].labels == ()


def test_base_model_is_there_and_whole() -> None:
    path = find_model("base")
    if not (path / "model.yaml").exists():
        pytest.skip("models/base has not been built")
    package = open_package(path)
    assert package.ref.name == "base"
    assert package.members[0].threshold == 0.5


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere", "no model"),
        ("~no-such-user-here/model", "no model"),
        ("x" * 5000, "no model"),
        ("nul\0byte", "no model"),
        ("/dev/null/below", "no model"),
    ],
)
def test_name_of_no_model_is_refused_with_what_would_do(name: str, reason: str) -> None:
    with pytest.raises(ModelError, match=f"{reason} .*give 'base', a package's folder or a .tflite file"):
        find_model(name)


def test_files_that_changed_are_refused_with_both_sizes_and_digests(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "p")
    (folder / "labels.txt").write_text("red\ngreen\nblack\n")
    assert "16 bytes with sha256" in refused(folder)
    data = bytearray(tiny_model())
    data[-1] ^= 1
    write_package(folder)
    (folder / "tiny.tflite").write_bytes(data)
    assert "install the package again" in refused(folder)


def test_missing_and_truncated_files_are_refused(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "p")
    whole = (folder / "tiny.tflite").read_bytes()
    for length in (0, 7, 100, len(whole) - 1):
        (folder / "tiny.tflite").write_bytes(whole[:length])
        assert f"{length} bytes with sha256" in refused(folder)
    (folder / "tiny.tflite").unlink()
    assert "tiny.tflite: No such file or directory" in refused(folder)
    (folder / "model.yaml").unlink()
    assert "model.yaml: No such file or directory" in refused(folder)


def test_pipes_folders_devices_and_links_in_a_package_are_refused_at_once(tmp_path: Path) -> None:
    for make, reason in (
        (os.mkfifo, "not a regular file"),
        (os.mkdir, "a folder, not a file"),
        (lambda path: path.symlink_to("/etc/passwd"), "a symbolic link"),
        (lambda path: path.symlink_to("labels.txt"), "a symbolic link"),
    ):
        folder = write_package(tmp_path / reason.replace(" ", "-"))
        target = folder / "tiny.tflite"
        if target.is_symlink() or target.exists():
            target.unlink()
        make(target)
        assert reason in refused(folder)
        target.rmdir() if target.is_dir() else target.unlink()


@pytest.mark.parametrize(
    "name", ["../tiny.tflite", "/etc/passwd", "a/b.tflite", ".hidden", "..", "a\\b", "a b", "", "a\n"]
)
def test_file_names_that_climb_or_hide_are_refused(tmp_path: Path, name: str) -> None:
    digest = {"sha256": "0" * 64, "size": 1}
    folder = write_package(tmp_path / "p", manifest={"files": {name: digest}}, member={"model": name})
    assert "model.yaml: " in refused(folder)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
        ({"schema": 2}, "schema: Input should be 1"),
        ({"name": "../up"}, "name: "),
        ({"name": "Base"}, "name: "),
        ({"version": "one"}, "version: "),
        ({"version": 1.0}, "version: "),
        ({"members": []}, "members: "),
        ({"members": "x"}, "members: "),
        ({"files": {}}, "tiny.tflite is used and not listed under files"),
        ({"files": [1]}, "files: "),
        ({"licence": None}, "licence: "),
    ],
)
def test_manifest_that_is_not_one_is_refused_with_the_key(tmp_path: Path, manifest: dict[str, Any], said: str) -> None:
    assert said in refused(write_package(tmp_path / "p", manifest=manifest))


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ({"treshold": 0.5}, "members.0.treshold: Extra"),
        ({"threshold": 1.5}, "members.0.threshold: "),
        ({"fit": "squeeze"}, "members.0.fit: "),
        ({"activation": "softplus"}, "members.0.activation: "),
        ({"normalisation": {"mean": [], "std": [1]}}, "members.0.normalisation.mean: "),
        ({"normalisation": {"mean": [float("nan")], "std": [1]}}, "members.0.normalisation.mean.0: "),
        ({"normalisation": {"mean": [1, 2, 3, 4], "std": [1]}}, "members.0.normalisation.mean: "),
        ({"labels": "other.txt"}, "other.txt is used and not listed"),
    ],
)
def test_member_that_is_not_one_is_refused_with_the_key(tmp_path: Path, member: dict[str, Any], said: str) -> None:
    assert said in refused(write_package(tmp_path / "p", member=member))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("red\ngreen\nblue", ("red", "green", "blue")),
        ("\ufeffred\r\ngreen\r\nblue\r\n", ("red", "green", "blue")),
        ("a\x0bb\nc\x85d\ne\u2028f\n", ("a\x0bb", "c\x85d", "e\u2028f")),
        ("red\n\nblue\n", ("red", "", "blue")),
        ("\x1b[31mred\n{{x}}\n${HOME}\n", ("\x1b[31mred", "{{x}}", "${HOME}")),
    ],
)
def test_a_line_is_a_label_whatever_is_in_it(tmp_path: Path, text: str, wanted: tuple[str, ...]) -> None:
    assert open_package(write_package(tmp_path / "p", labels=text)).members[0].labels == wanted


def test_labels_that_are_not_text_or_too_many_are_refused(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "p", labels="x" * (4 * 2**20 + 1))
    assert "labels larger than 4 MB" in refused(folder)
    tree = yaml.safe_load((folder / "model.yaml").read_text())
    (folder / "labels.txt").write_bytes(b"\xff\xfe\n")
    tree["files"]["labels.txt"] = {"sha256": hashlib.sha256(b"\xff\xfe\n").hexdigest(), "size": 3}
    (folder / "model.yaml").write_text(yaml.safe_dump(tree))
    assert "labels.txt: not UTF-8 text" in refused(folder)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a TensorFlow Lite model (empty)"),
        (b"\x1c\0\0\0TFL", "not a TensorFlow Lite model"),
        (b"PK\x03\x04" * 100, "not a TensorFlow Lite model"),
        (b"<html>404</html>", "not a TensorFlow Lite model"),
    ],
)
def test_file_that_is_no_model_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    assert said in refused(path)


def test_bare_file_that_is_a_pipe_or_too_large_is_refused_at_once(tmp_path: Path) -> None:
    pipe, large = tmp_path / "pipe.tflite", tmp_path / "large.tflite"
    os.mkfifo(pipe)
    with large.open("wb") as file:
        file.truncate(256 * 2**20 + 1)
    assert "not a regular file" in refused(pipe)
    assert "larger than 256 MB" in refused(large)
