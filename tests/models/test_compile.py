"""`compile`: Coral's compiler, here a double that takes its words and makes a compiled file as it does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from support.models import TinyModel, tiny_model, write_package

from edged.errors import CannotWriteError, ModelError, UnavailableError
from edged.models import compile as compiling
from edged.models.compile import compile_file, compile_package
from edged.models.package import open_package

if TYPE_CHECKING:
    from pathlib import Path

DOUBLE = """#!{python}
import pathlib, sys, time
words = sys.argv[1:]
assert words[0] == "-s" and words[1] == "-o", words
folder, source = pathlib.Path(words[2]), pathlib.Path(words[3])
print("Edge TPU Compiler version 16.0.384591198")
{what}
"""
MAKE = 'folder.joinpath(source.stem + "_edgetpu.tflite").write_bytes(bytes.fromhex("{}")); print("Model compiled.")'


@pytest.fixture
def install_double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    def install(what: str) -> None:
        program = tmp_path / "bin" / "edgetpu_compiler"
        program.parent.mkdir(exist_ok=True)
        program.write_text(DOUBLE.format(python=sys.executable, what=what))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    return install


COMPILED = MAKE.format(tiny_model(TinyModel(custom="edgetpu-custom-op")).hex())


def test_compiled_file_lies_beside_the_model_where_edged_finds_it(tmp_path: Path, install_double: object) -> None:
    install_double(COMPILED)  # type: ignore[operator]
    model = tmp_path / "m.tflite"
    model.write_bytes(tiny_model())
    done = compile_file(model)
    assert done.path == tmp_path / "m_edgetpu.tflite"
    assert "Model compiled." in done.words
    assert open_package(model).members[0].edgetpu == done.path
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "m.tflite", "m_edgetpu.tflite"]
    assert compile_file(model, tmp_path / "there").path == tmp_path / "there" / "m_edgetpu.tflite"


def test_package_gets_its_twin_in_a_package_of_its_own(tmp_path: Path, install_double: object) -> None:
    install_double(COMPILED)  # type: ignore[operator]
    package = write_package(tmp_path / "p")
    compile_package(package, tmp_path / "tpu")
    opened = open_package(tmp_path / "tpu")
    assert opened.ref.version == "1.0.0+edgetpu"
    assert opened.members[0].edgetpu == tmp_path / "tpu" / "tiny_edgetpu.tflite"
    assert opened.members[0].labels == ("red", "green", "blue")
    with pytest.raises(ModelError, match="Edge TPU file already"):
        compile_package(tmp_path / "tpu", tmp_path / "again")
    with pytest.raises(CannotWriteError, match="something already"):
        compile_package(package, tmp_path / "tpu")


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("sys.exit('Invalid model: not quantized')", "exit code 1.*Invalid model.*fully quantised"),
        ("pass", "made no file"),
        (MAKE.format(tiny_model().hex()), "found nothing in it"),
        (MAKE.format("00ff"), "not a TensorFlow Lite model"),
        ("import os; os.kill(os.getpid(), 11)", "crashed"),
        ("time.sleep(60)", "did not end within"),
    ],
)
def test_compiler_that_fails_leaves_no_file(
    tmp_path: Path, install_double: object, monkeypatch: pytest.MonkeyPatch, what: str, reason: str
) -> None:
    monkeypatch.setattr(compiling, "SECONDS", 1.0 if "sleep" in what else 20.0)
    install_double(what)  # type: ignore[operator]
    model = tmp_path / "m.tflite"
    model.write_bytes(tiny_model())
    with pytest.raises(ModelError, match=reason):
        compile_file(model)
    assert not (tmp_path / "m_edgetpu.tflite").exists()


def test_machine_without_the_compiler_is_told_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    model = tmp_path / "m.tflite"
    model.write_bytes(tiny_model())
    with pytest.raises(UnavailableError, match=r"https://coral\.ai"):
        compile_file(model)


def test_compiled_model_is_not_compiled_again(tmp_path: Path, install_double: object) -> None:
    install_double(COMPILED)  # type: ignore[operator]
    model = tmp_path / "m_edgetpu.tflite"
    model.write_bytes(tiny_model(TinyModel(custom="edgetpu-custom-op")))
    with pytest.raises(ModelError, match="already"):
        compile_file(model)
