"""A file's bytes, and no more memory for them than they take."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from edged.camera.regular_file import read_regular_file


def test_small_file_takes_little_memory_however_large_it_might_be(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"x" * 1000)
    tracemalloc.start()
    try:
        assert read_regular_file(path, 256 * 2**20) == b"x" * 1000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2**20


@pytest.mark.parametrize("length", [0, 1, 65535, 65536, 65537, 200_000])
def test_file_of_the_most_that_is_taken_is_read_and_one_byte_more_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(250)) * (length // 250) + bytes(length % 250))
    assert read_regular_file(path, length) == path.read_bytes()
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(OSError, match="larger than"):
        read_regular_file(path, length)


def test_file_that_does_not_know_its_length_is_read_whole() -> None:
    path = Path("/proc/self/status")
    assert path.stat().st_size == 0
    assert read_regular_file(path, 2**20).startswith(b"Name:")
