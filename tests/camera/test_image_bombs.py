"""Small files that say they are large, and large ones that are: bounded memory, and no warning on any terminal."""

from __future__ import annotations

import struct
import subprocess
import sys
import textwrap
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image
from support.pictures import encoded, noise, smooth

from edged.camera.geometry import Size
from edged.camera.image_file import read_picture

ROOT = Path(__file__).parents[2]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG that says it is this large; one bit a pixel, so that a small file can really be it."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 7) // 8 + 1) * min(height, 20_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def huge_jpeg(width: int, height: int) -> bytes:
    data = encoded(smooth(64, 64), "JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("header.png", png(20_000, 20_000)),
        ("wide.png", png(2**31 - 1, 1)),
        ("header.jpg", huge_jpeg(20_000, 20_000)),
        ("largest.jpg", huge_jpeg(65_500, 65_500)),
        ("text.png", png(8, 8, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(300_000_000), 9)))),
        ("profile.png", png(8, 8, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(300_000_000), 9)))),
        ("huge.gif", b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;"),
        ("huge.bmp", b"BM" + struct.pack("<IIIIiiHHIIiiII", 99, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)),
        ("huge.ppm", b"P6 50000 50000 255\n"),
        ("endless.pgm", b"P5 " + b"9" * 100_000 + b" 1 255\n"),
    ],
)
def test_bombs_take_neither_memory_nor_time(name: str, data: bytes, tmp_path: Path) -> None:
    """In a child process with 1 GB of address space in all; what it takes for the picture is measured."""
    path = tmp_path / name
    path.write_bytes(data)
    began = time.monotonic()
    megabytes, said = _child(path)
    assert time.monotonic() - began < 10
    assert megabytes < 150, said
    if name not in ("text.png", "profile.png"):  # a small picture with an absurd note may be shown
        assert name in said


def test_large_photos_that_are_taken_cost_what_their_pixels_cost(tmp_path: Path) -> None:
    """100 megapixels of PNG: 400 MB in Pillow's hands and 300 MB in ours; a JPEG is scaled while it is decoded."""
    path = tmp_path / "large.png"
    path.write_bytes(png(10_000, 10_000))
    megabytes, said = _child(path, limit=0)
    assert "shown" in said
    assert megabytes < 500
    path = tmp_path / "large.jpg"
    Image.new("RGB", (10_000, 10_000), "red").save(path)
    megabytes, said = _child(path, limit=0)
    assert "shown" in said
    assert megabytes < 60


def _child(path: Path, limit: int = 2**30) -> tuple[float, str]:
    """What a process says of the picture, and the memory (MB) that it took beyond its own."""
    program = textwrap.dedent("""
        import pathlib, resource, sys, warnings
        from edged.camera.geometry import Size
        from edged.camera.image_file import read_picture, parse_picture
        from edged.errors import BadImageError
        parse_picture(bytes.fromhex(sys.argv[3])).render(Size(8, 8))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if int(sys.argv[2]):
            resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
        try:
            read_picture(pathlib.Path(sys.argv[1])).render(Size(224, 224))
            print("shown", sys.argv[1])
        except BadImageError as error:
            print(error)
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
    """)
    words = [sys.executable, "-W", "error", "-c", program, str(path), str(limit), encoded(noise(9, 9)).hex()]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    *said, megabytes = done.stdout.splitlines()
    return float(megabytes), "\n".join(said)


def test_no_warning_of_pillow_reaches_anybody(tmp_path: Path) -> None:
    """Warnings are errors here, so any would show; and 100 megapixels make Pillow warn."""
    path = tmp_path / "large.png"
    path.write_bytes(png(9_500, 9_500))
    assert read_picture(path).size == Size(9_500, 9_500)
