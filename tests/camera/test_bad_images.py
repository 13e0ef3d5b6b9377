"""Files that are no pictures, or broken, or bombs: a BadImageError that names the file, nothing else, quickly."""

from __future__ import annotations

import os
import resource
import socket
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.pictures import encoded, smooth

from edged.camera.geometry import Size
from edged.camera.image_file import parse_picture, read_picture
from edged.errors import BadImageError

ROOT = Path(__file__).parents[2]


def exif_photo(kind: str) -> bytes:
    image = Image.fromarray(smooth(24, 20))
    exif = image.getexif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    return encoded(image, kind, exif=exif)


SEEDS = {
    "jpeg": exif_photo("JPEG"),
    "progressive": encoded(smooth(24, 20), "JPEG", progressive=True),
    "png": exif_photo("PNG"),
    "webp": exif_photo("WEBP"),
    "tiff": exif_photo("TIFF"),
    "lzw": encoded(smooth(24, 20), "TIFF", compression="tiff_lzw"),
    "gif": encoded(Image.fromarray(smooth(24, 20)), "GIF", save_all=True, append_images=[Image.new("RGB", (24, 20))]),
    "bmp": encoded(smooth(24, 20), "BMP"),
    "ppm": encoded(smooth(24, 20), "PPM"),
    "palette": encoded(Image.fromarray(smooth(24, 20)).convert("P"), transparency=3),
}


def refused(data: bytes) -> str:
    with pytest.raises(BadImageError) as caught:
        parse_picture(data).render(Size(8, 8))
    return str(caught.value)


def test_what_is_no_image_is_called_so() -> None:
    assert refused(b"") == "the picture: empty"
    for data in (b"hello", b"\0" * 5000, b"<html>404</html>", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"):
        assert refused(data) == "the picture: not an image (JPEG, PNG, BMP, GIF, WEBP, TIFF, PPM)"


@pytest.mark.parametrize("kind", [kind for kind in SEEDS if kind != "bmp"])
@pytest.mark.parametrize("part", [0.02, 0.1, 0.25, 0.5, 0.75])
def test_truncated_file_is_refused(kind: str, part: float) -> None:
    assert refused(SEEDS[kind][: int(len(SEEDS[kind]) * part)])


@pytest.mark.parametrize("kind", ["png", "jpeg", "progressive"])
def test_photo_cut_at_any_length_is_whole_or_refused_by_name(kind: str, tmp_path: Path) -> None:
    """Whatever is shown of a file that lacks its end is the whole picture: nothing grey, nothing black."""
    whole = parse_picture(SEEDS[kind]).render(Size(8, 8)).astype(int)
    path = tmp_path / "cut.jpg"
    for length in range(0, len(SEEDS[kind]), 7):
        path.write_bytes(SEEDS[kind][:length])
        try:
            shown = read_picture(path).render(Size(8, 8))
        except BadImageError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017  both outcomes are right
        else:
            assert np.abs(shown - whole).max() <= 30, length


@given(st.sampled_from(sorted(SEEDS)), st.data())
@settings(max_examples=700, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_files_are_pictures_or_bad_images_and_nothing_else(kind: str, data: st.DataObject) -> None:
    seed = bytearray(SEEDS[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, max(0, min(len(seed) - 1, 400))))
        match data.draw(st.sampled_from(["flip", "number", "cut", "double", "drop"])):
            case "flip":
                seed[at : at + 1] = data.draw(st.binary(min_size=1, max_size=1))
            case "number":
                seed[at : at + 4] = data.draw(st.sampled_from([b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff"]))
            case "cut":
                del seed[at + 1 :]
            case "double":
                seed[at:at] = seed[at : at + 40]
            case _:
                del seed[at : at + data.draw(st.integers(1, 40))]
        if not seed:
            break
    _picture_or_bad_image(bytes(seed))


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"BM"])
)
@example(b"\xff\xff", b"\xff\xd8\xff\xe1\x00\x10Exif\0\0")
def test_any_bytes_are_pictures_or_bad_images_and_nothing_else(tail: bytes, head: bytes) -> None:
    _picture_or_bad_image(head + tail)


def _picture_or_bad_image(data: bytes) -> None:
    try:
        assert parse_picture(data).render(Size(8, 8)).shape == (8, 8, 3)
    except BadImageError as error:
        assert str(error).startswith("the picture: ")  # noqa: PT017  both outcomes are right


def test_damaged_exif_data_do_not_cost_the_photo() -> None:
    data = SEEDS["jpeg"]
    at = data.index(b"Exif\0\0") + 6
    for rubbish in (b"\xff" * 20, b"MM\0*\0\0\0\x08\xff\xff" + b"\0\xff" * 5, b"II*\0\xff\xff\xff\xff"):
        broken = data[:at] + rubbish + data[at + len(rubbish) :]
        assert parse_picture(broken).render(Size(8, 8)).shape == (8, 8, 3)


def test_what_is_no_file_is_refused_at_once_and_by_name(tmp_path: Path) -> None:
    pipe, listener, nowhere = tmp_path / "pipe.jpg", tmp_path / "socket.jpg", tmp_path / "nowhere.jpg"
    os.mkfifo(pipe)
    nowhere.symlink_to("not-there")
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(listener))
        for path, reason in (
            (pipe, "not a regular file but a pipe, a socket or a device"),
            (Path("/dev/zero"), "not a regular file but a pipe, a socket or a device"),
            (listener, "No such device or address"),
            (tmp_path, "a folder, not a file"),
            (nowhere, "No such file or directory"),
            (loop, "Too many levels of symbolic links"),
            (tmp_path / ("x" * 300), "File name too long"),
            (tmp_path / "nul\0.jpg", "embedded null byte"),
            (pipe / "below.jpg", "Not a directory"),
        ):
            with pytest.raises(BadImageError) as caught:
                read_picture(path)
            assert str(caught.value) == f"{path}: {reason}"


def test_file_without_end_is_read_no_further_than_allowed(tmp_path: Path) -> None:
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.truncate(300 * 2**20)
    with pytest.raises(BadImageError, match="larger than 256 MB"):
        read_picture(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2**21
