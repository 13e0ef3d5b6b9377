"""A model's two files: the one for the CPU and the one compiled for the Edge TPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.edgetpu import package_with_twin
from support.models import TinyModel, tiny_model

from edged.models.package import open_package

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = tiny_model(TinyModel())
COMPILED = tiny_model(TinyModel(custom="edgetpu-custom-op"))


def files(path: Path) -> tuple[Path | None, Path | None]:
    member = open_package(path).members[0]
    return member.cpu, member.edgetpu


def test_a_package_names_both(tmp_path: Path) -> None:
    folder = package_with_twin(tmp_path / "package")
    assert files(folder) == (folder / "efficientnet_lite0.tflite", folder / "twin_edgetpu.tflite")


def test_a_bare_file_finds_what_the_compiler_left_beside_it(tmp_path: Path) -> None:
    plain, compiled = tmp_path / "x.tflite", tmp_path / "x_edgetpu.tflite"
    plain.write_bytes(PLAIN)
    assert files(plain) == (plain, None)
    compiled.write_bytes(COMPILED)
    assert files(plain) == (plain, compiled)
    assert files(compiled) == (None, compiled), "who names the compiled file means it"


def test_a_compiled_file_alone_is_for_the_edge_tpu_alone_whatever_it_is_called(tmp_path: Path) -> None:
    compiled = tmp_path / "birds.tflite"
    compiled.write_bytes(COMPILED)
    assert files(compiled) == (None, compiled)


def test_a_neighbour_that_is_not_what_its_name_says_is_left_alone(tmp_path: Path) -> None:
    plain, other = tmp_path / "x.tflite", tmp_path / "x_edgetpu.tflite"
    plain.write_bytes(PLAIN)
    for content in (PLAIN, b"", b"not a model"):
        other.write_bytes(content)
        assert files(plain) == (plain, None)
    other.unlink()
    other.mkdir()
    assert files(plain) == (plain, None)
