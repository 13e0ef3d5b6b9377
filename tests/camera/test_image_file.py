"""Image files of every kind: their pixels are right, and upright."""

from __future__ import annotations

import io
import os
import struct
import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps
from support.pictures import encoded, noise, smooth

from edged.camera.geometry import Size
from edged.camera.image_file import parse_picture, picture_of_pillow, read_picture
from edged.camera.picture import PackedPicture
from edged.errors import BadImageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RGB = smooth(64, 48)
GREY = RGB[:, :, 0]
LOSSLESS = ["PNG", "BMP", "TIFF", "PPM", "WEBP"]


def shown(data: bytes) -> NDArray[np.uint8]:
    """Every pixel, as a model of the picture's own size would get it."""
    picture = parse_picture(data)
    return picture.render(picture.size)


def off(one: NDArray[np.generic], other: NDArray[np.generic]) -> int:
    return int(np.abs(one.astype(np.int32) - other.astype(np.int32)).max())


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_files_come_out_to_the_pixel(kind: str) -> None:
    assert np.array_equal(shown(encoded(RGB, kind, **({"lossless": True} if kind == "WEBP" else {}))), RGB)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("WEBP", {}), ("GIF", {}), ("PNG", {"interlace": 1})],
)
def test_lossy_files_come_out_as_pillow_shows_them(kind: str, options: dict[str, object]) -> None:
    assert np.abs(shown(encoded(RGB, kind, quality=95, **options)).astype(int) - RGB).mean() < 8


def test_grey_of_eight_and_sixteen_bits_is_the_same_grey() -> None:
    wanted = np.repeat(GREY[:, :, np.newaxis], 3, axis=2)
    wide = GREY.astype(np.uint16) * 257
    darker = np.less(GREY, GREY.max())  # floating point goes as far as it goes: there, the brightest is white
    for data in (
        encoded(GREY),
        encoded(GREY, "BMP"),
        encoded(Image.fromarray(wide)),
        encoded(Image.fromarray(wide), "TIFF"),
        encoded(Image.fromarray(wide.astype(">u2")), "TIFF"),
        encoded(Image.fromarray(wide.astype(np.int32)), "TIFF"),
        encoded(Image.fromarray(np.where(darker, wide, 65535).astype(np.float32) / 65535), "TIFF"),
    ):
        assert off(shown(data)[darker], wanted[darker]) <= 1


def test_sixteen_bit_colour_keeps_its_upper_bits() -> None:
    rows = b"".join(b"\x00" + (RGB[row].astype(">u2") * 257).tobytes() for row in range(RGB.shape[0]))
    assert np.array_equal(shown(_png(64, 48, rows, depth=16)), RGB)


def test_floating_point_that_is_not_a_number_is_black_and_no_warning() -> None:
    values = GREY.astype(np.float32) / 255
    values[0, 0] = np.nan
    values[0, 1] = np.inf
    assert off(shown(encoded(Image.fromarray(values), "TIFF"))[5:, 5:, 0], GREY[5:, 5:]) <= 1


@pytest.mark.parametrize("subsampling", [0, 2])
def test_cmyk_jpeg_has_its_colours(subsampling: int) -> None:
    data = encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=100, subsampling=subsampling)
    assert np.abs(shown(data).astype(int) - RGB).mean() < 3


def test_what_is_transparent_is_black() -> None:
    alpha = np.dstack([RGB, np.full((48, 64), 255, np.uint8)])
    alpha[:, :32, 3] = 0
    wanted = RGB.copy()
    wanted[:, :32] = 0
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        assert np.array_equal(shown(encoded(alpha, kind, **options)), wanted)
    half = encoded(np.dstack([np.full((8, 8, 3), 255, np.uint8), np.full((8, 8), 128, np.uint8)]))
    assert set(shown(half).ravel()) <= {127, 128, 129}


@pytest.mark.parametrize("transparency", [3, bytes([255, 255, 255, 0])])
def test_what_is_transparent_in_a_palette_is_black(transparency: int | bytes) -> None:
    image = Image.new("P", (8, 8), 3)
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    image.paste(1, (0, 0, 4, 8))
    pixels = shown(encoded(image, transparency=transparency))
    assert pixels[0, 0].tolist() == [0, 255, 0]
    assert pixels[0, 7].tolist() == [0, 0, 0]


def test_masks_and_brightness_of_a_transparent_picture_are_those_of_what_is_seen() -> None:
    alpha = np.dstack([np.full((48, 64, 3), 200, np.uint8), np.full((48, 64), 255, np.uint8)])
    alpha[:, :32, 3] = 0
    picture = parse_picture(encoded(alpha))
    assert picture.luma(Size(2, 1)).tolist() == [[0, 200]]
    masked = picture.masked((((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)),))
    assert not masked.render(Size(64, 48)).any()


@pytest.mark.parametrize("place", ["before the pixels", "after them"])
def test_png_turned_by_xmp_or_exif_comes_out_upright_wherever_that_stands(place: str) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    for kind, body in ((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp), (b"eXIf", _exif(6))):
        data = encoded(RGB)
        at = data.index(b"IDAT" if place == "before the pixels" else b"IEND") - 4
        chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        wanted = np.asarray(_as_a_viewer_would(RGB, 6))
        with Image.open(io.BytesIO(data[:at] + chunk + data[at:])) as reference:
            assert np.array_equal(np.asarray(ImageOps.exif_transpose(reference)), wanted), "a test of nothing"
        assert np.array_equal(shown(data[:at] + chunk + data[at:]), wanted), kind


@pytest.mark.parametrize("top_down", [False, True])
@pytest.mark.parametrize("width", [64, 61])
def test_bmp_is_looked_at_where_it_lies(width: int, top_down: bool) -> None:  # noqa: FBT001  a test's parameter
    data = bytearray(encoded(RGB[:, :width], "BMP"))
    if top_down:
        data[22:26] = struct.pack("<i", -48)
    wanted = RGB[::-1, :width] if top_down else RGB[:, :width]
    picture = parse_picture(bytes(data))
    assert isinstance(picture, PackedPicture)
    assert not picture.data.flags.owndata
    assert np.array_equal(picture.render(Size(width, 48)), wanted)
    small = cv2.resize(np.ascontiguousarray(wanted), (20, 15), interpolation=cv2.INTER_LINEAR)
    assert off(picture.render(Size(20, 15)), small) <= 1
    with pytest.raises(BadImageError):
        parse_picture(bytes(data[:-200]))


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(kind: str, orientation: int) -> None:
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = orientation
    best: dict[str, dict[str, object]] = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}
    data = encoded(image, kind, exif=exif, **best.get(kind, {}))
    wanted = np.asarray(_as_a_viewer_would(RGB, orientation))
    assert off(shown(data), wanted) <= 4
    with Image.open(io.BytesIO(data)) as reference:
        assert off(shown(data), np.asarray(ImageOps.exif_transpose(reference).convert("RGB"))) <= 4


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_picture_is_taken(kind: str) -> None:
    red, blue = (Image.new("RGB", (16, 12), colour) for colour in ("red", "blue"))
    data = encoded(red, kind, save_all=True, append_images=[blue], duration=100)
    assert off(shown(data), np.asarray(red)) <= 3


def test_one_pixel_is_a_picture() -> None:
    pixel = np.array([[[10, 200, 30]]], np.uint8)
    assert np.array_equal(parse_picture(encoded(pixel)).render(Size(5, 5)), np.broadcast_to(pixel, (5, 5, 3)))
    assert off(parse_picture(encoded(pixel, "JPEG", quality=100)).render(Size(5, 5)), pixel) <= 4


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBA", "LA", "PA", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "RGBX"]
)
def test_pillow_images_of_every_mode_are_taken(mode: str) -> None:
    image = Image.fromarray(RGB)
    if mode == "LAB":
        spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(image, *spaces, outputMode="LAB")
        assert converted is not None
    else:
        converted = image.convert("P").convert("PA") if mode == "PA" else image.convert(mode)
    picture = picture_of_pillow(converted)
    assert picture.size == Size(64, 48)
    if mode in ("RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"):
        assert np.abs(picture.data.astype(int) - RGB).mean() < 8


def test_large_pictures_are_the_same_as_small_ones_strip_by_strip() -> None:
    wide = noise(2500, 2100)
    assert np.array_equal(shown(encoded(wide, "BMP")), wide)


def test_closed_pillow_image_is_refused() -> None:
    image = Image.fromarray(RGB)
    image.close()
    with pytest.raises(BadImageError, match="cannot be read"):
        picture_of_pillow(image)


def test_name_of_a_file_says_nothing_about_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "really.gif"
    path.write_bytes(encoded(RGB, "PNG"))
    picture = read_picture(path)
    assert np.array_equal(picture.render(picture.size), RGB)


def test_file_name_may_be_anything(tmp_path: Path) -> None:
    for name in (b"\xff\xfe.png", b"line\nbreak.png", b"\x1b[31mred.png", "кот.png".encode()):
        path = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118  bytes
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(encoded(RGB))
        assert read_picture(tmp_path / os.fsdecode(name)).size == Size(64, 48)


def _as_a_viewer_would(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """EXIF 2.32, table 4: where row 0 and column 0 of the file belong in the upright picture."""
    return {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: pixels.transpose(1, 0, 2)[:, ::-1],
        7: pixels.transpose(1, 0, 2)[::-1, ::-1],
        8: pixels.transpose(1, 0, 2)[::-1],
    }[orientation]


def _png(width: int, height: int, rows: bytes, *, depth: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
