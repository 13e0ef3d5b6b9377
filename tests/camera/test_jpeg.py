"""JPEG pictures: decoded in no more detail than is asked for, and refused where they are damaged."""

from __future__ import annotations

import numpy as np
import pytest
from support.pictures import bilinear, encoded, jpeg, noise, smooth

from edged.camera.geometry import Region, Size
from edged.camera.jpeg import JpegPicture
from edged.errors import BadImageError


def decoded_sizes(picture: JpegPicture) -> set[Size]:
    return {found.size for found in picture._cache.values()}  # noqa: SLF001  what it was decoded to is what is tested


@pytest.mark.parametrize(
    ("wanted", "region", "least"),
    [
        (Size(224, 224), Region(0, 0, 1, 1), Size(448, 448)),
        (Size(50, 50), Region(0, 0, 1, 1), Size(100, 100)),
        (Size(50, 50), Region(0.5, 0.5, 0.5, 0.25), Size(200, 400)),
        (Size(700, 20), Region(0, 0, 1, 1), Size(1280, 720)),
        (Size(600, 400), Region(0, 0, 1, 1), Size(1280, 720)),
        (Size(20, 20), Region(0.4, 0.4, 0.01, 0.01), Size(1280, 720)),
    ],
)
def test_decoder_scales_only_while_twice_the_wanted_size_remains(wanted: Size, region: Region, least: Size) -> None:
    picture = jpeg(smooth(1280, 720))
    picture.render(wanted, region)
    (found,) = decoded_sizes(picture)
    assert found.width >= least.width
    assert found.height >= least.height
    if least.width < 640:
        assert found.width < 1280


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2}, {"optimize": True}])
def test_scaled_decoding_shows_what_full_decoding_shows(options: dict[str, object]) -> None:
    rgb = smooth(1280, 720)
    for region in (Region(0, 0, 1, 1), Region(0.25, 0.5, 0.5, 0.5)):
        rendered = jpeg(rgb, **options).render(Size(64, 48), region)
        left, top, right, bottom = region.pixels(Size(1280, 720))
        assert np.abs(rendered - bilinear(rgb[top:bottom, left:right], 64, 48)).max() <= 4


def test_grey_and_unconverted_rgb_jpegs_have_their_colours() -> None:
    grey = encoded(smooth(80, 60)[:, :, 0], "JPEG", quality=100)
    assert np.abs(JpegPicture(grey).render(Size(80, 60)) - smooth(80, 60)[:, :, :1].astype(int)).max() <= 3
    rgb = jpeg(smooth(80, 60), keep_rgb=True)
    assert np.abs(rgb.render(Size(80, 60)) - smooth(80, 60).astype(int)).max() <= 3


def test_models_of_one_package_share_one_decoding_and_memory_stays_bounded() -> None:
    picture = jpeg(smooth(640, 480))
    first = picture._decoded(Size(200, 200))  # noqa: SLF001
    assert picture._decoded(Size(200, 200)) is first  # noqa: SLF001
    for number in range(1, 20):
        picture.render(Size(10 * number, 10))
    assert len(decoded_sizes(picture)) <= 2


@pytest.mark.parametrize("sides", [(224, 257), (257, 224), (64, 200), (200, 64), (128, 600)])
def test_one_decoding_for_models_of_other_sizes_changes_nothing(sides: tuple[int, int]) -> None:
    """1920 by 1080 decoded for 224 is 960 by 540, which is what 257 wants too."""
    data = encoded(np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), dtype=np.uint8), "JPEG")
    shared = JpegPicture(data)
    for side in sides:
        size = Size(side, side)
        assert np.array_equal(shared.render(size), JpegPicture(data).render(size))
    assert shared._decoded(Size(448, 448)) is shared._decoded(Size(514, 514))  # noqa: SLF001  decoded once


@pytest.mark.parametrize("part", [0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999])
def test_truncated_jpeg_is_refused_by_name(part: float) -> None:
    data = encoded(noise(200, 150), "JPEG")
    with pytest.raises(BadImageError, match=r"^porch\.jpg: .*JPEG"):
        JpegPicture(data[: int(len(data) * part)], "porch.jpg").render(Size(20, 20))


def test_padding_before_the_end_mark_is_forgiven_as_many_cameras_write_it() -> None:
    data = encoded(smooth(80, 60), "JPEG")
    padded = data[:-2] + b"\x00" * 5 + data[-2:]
    assert np.array_equal(JpegPicture(padded).render(Size(20, 20)), JpegPicture(data).render(Size(20, 20)))


def test_jpeg_too_large_to_be_decoded_in_full_is_refused_before_it_is() -> None:
    data = encoded(smooth(64, 64), "JPEG")
    at = data.index(b"\xff\xc0") + 5
    huge = data[:at] + (20_000).to_bytes(2) * 2 + data[at + 4 :]
    with pytest.raises(BadImageError, match="20000x20000 pixels; 120 megapixels is the most"):
        JpegPicture(huge).masked((((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)),))
