"""Pictures to tensors: what each type of input gets, and where the picture goes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pictures import KINDS, noise, smooth

from edged.camera.geometry import WHOLE, Region, Size
from edged.camera.picture import Order, PackedPicture, TurnedPicture
from edged.engine.worker.wire import TensorSpec
from edged.errors import ModelError
from edged.labeling.preprocess import Fit, InputRule, Normalisation, prepare

ONE = Normalisation((127.5,), (127.5,))
EACH = Normalisation((123.7, 116.3, 103.5), (58.4, 57.1, 57.4))
PIXELS = noise(40, 30)


def spec(
    dtype: str = "uint8", shape: tuple[int, ...] = (1, 30, 40, 3), scale: float = 0.0, zero: int = 0
) -> TensorSpec:
    return TensorSpec("input", shape, dtype, scale, zero)


def tensor_of(
    wanted: TensorSpec,
    normalisation: Normalisation | None = None,
    *,
    picture: object = None,
    fit: Fit = Fit.STRETCH,
    region: Region = WHOLE,
) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """What the model would get, in memory that held something else before."""
    tensor = np.full(wanted.shape, 77, wanted.dtype)
    source = PackedPicture(PIXELS) if picture is None else picture
    prepare(source, InputRule.of(wanted, normalisation, fit), tensor, region)  # type: ignore[arg-type]
    return np.asarray(tensor[0])


@pytest.mark.parametrize("normalisation", [None, ONE, EACH])
def test_uint8_gets_raw_pixels_whatever_the_normalisation(normalisation: Normalisation | None) -> None:
    """Its quantisation parameters hold the normalisation already: applied twice, everything would be dark."""
    for wanted in (spec(), spec(scale=1 / 128, zero=127)):
        assert np.array_equal(tensor_of(wanted, normalisation), PIXELS)


def test_int8_without_normalisation_gets_pixels_less_128() -> None:
    assert np.array_equal(tensor_of(spec("int8", scale=1 / 255, zero=-128)), PIXELS.astype(int) - 128)


@pytest.mark.parametrize("normalisation", [ONE, EACH])
def test_int8_is_normalised_then_quantised(normalisation: Normalisation) -> None:
    got = tensor_of(spec("int8", scale=0.011, zero=-3), normalisation)
    real = (PIXELS - np.array(normalisation.mean)) / np.array(normalisation.std)
    assert np.array_equal(got, np.clip(np.round(real / 0.011) - 3, -128, 127))


@pytest.mark.parametrize("normalisation", [ONE, EACH, Normalisation((0.0,), (1.0,)), Normalisation((5.0,), (-2.0,))])
def test_float_gets_normalised_pixels(normalisation: Normalisation) -> None:
    got = tensor_of(spec("float32"), normalisation)
    wanted = (PIXELS - np.array(normalisation.mean)) / np.array(normalisation.std)
    assert got.dtype == np.float32
    assert np.allclose(got, wanted, atol=1e-6)


def test_float_without_normalisation_is_refused_with_both_cures() -> None:
    with pytest.raises(ModelError, match=r"TFLite Metadata \(NormalizationOptions\) or in model\.yaml"):
        InputRule.of(spec("float32"), None, Fit.STRETCH)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
def test_grey_input_gets_luma(dtype: str) -> None:
    """BT.601's weights, as every image library has for grey."""
    luma = PIXELS @ np.array([0.299, 0.587, 0.114])
    normalisation = Normalisation((0.0,), (1.0,)) if dtype == "float32" else None
    got = tensor_of(spec(dtype, (1, 30, 40, 1)), normalisation).astype(float)[:, :, 0]
    assert np.abs(got + 128 * (dtype == "int8") - luma).max() <= 1


def test_grey_picture_in_a_grey_input_stays_what_it_is() -> None:
    grey = noise(40, 30, 1)
    got = tensor_of(spec(shape=(1, 30, 40, 1)), picture=PackedPicture(grey, Order.GREY))
    assert np.array_equal(got[:, :, 0], grey)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_picture_fills_every_input(kind: str, dtype: str) -> None:
    wanted = spec(dtype, (1, 12, 20, 3))
    for picture in (KINDS[kind](smooth(40, 30)), TurnedPicture(KINDS[kind](smooth(40, 30)), 90)):
        got = tensor_of(wanted, Normalisation((0.0,), (1.0,)) if dtype == "float32" else None, picture=picture)
        rendered = picture.render(Size(20, 12))
        assert np.array_equal(got.astype(int) + 128 * (dtype == "int8"), rendered)


@pytest.mark.parametrize(
    "shape", [(1, 30, 40), (1, 30, 40, 4), (2, 30, 40, 3), (1, 3, 30, 40), (1, 1000), (), (1, 30, 40, 3, 1)]
)
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"an image classifier's is \[1, height, width, 3\]"):
        InputRule.of(spec(shape=shape), None, Fit.STRETCH)


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64"])
@pytest.mark.parametrize("normalisation", [None, ONE])
def test_other_types_are_refused(dtype: str, normalisation: Normalisation | None) -> None:
    with pytest.raises(ModelError, match=f"takes {dtype}; pixels can become uint8, int8 and float32"):
        InputRule.of(spec(dtype), normalisation, Fit.STRETCH)


@pytest.mark.parametrize(
    "normalisation",
    [
        Normalisation((1.0, 2.0), (1.0,)),
        Normalisation((1.0,), (1.0, 1.0)),
        Normalisation((1.0,), (0.0,)),
        Normalisation((), ()),
        Normalisation((math.nan,), (1.0,)),
        Normalisation((0.0,), (math.inf,)),
    ],
)
def test_normalisation_that_does_not_fit_is_refused(normalisation: Normalisation) -> None:
    with pytest.raises(ModelError, match="does not fit 3 channels"):
        InputRule.of(spec("float32"), normalisation, Fit.STRETCH)


def test_normalised_int8_needs_quantisation_parameters() -> None:
    with pytest.raises(ModelError, match="without quantisation parameters"):
        InputRule.of(spec("int8"), ONE, Fit.STRETCH)


def bars(width: int, height: int) -> PackedPicture:
    """Red from left to right, green from top to bottom, 0 to 255; blue everywhere: what is not picture has none."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return PackedPicture(np.stack([x, y, np.full_like(x, 255)], axis=2).astype(np.uint8))


def test_stretch_shows_everything() -> None:
    got = tensor_of(spec(shape=(1, 50, 50, 3)), picture=bars(200, 100))
    assert got[..., 0].min() <= 5
    assert got[..., 0].max() >= 250
    assert got[..., 1].max() >= 250
    assert got[..., 2].min() == 255


def test_crop_shows_the_largest_part_in_the_middle_undistorted() -> None:
    got = tensor_of(spec(shape=(1, 50, 50, 3)), picture=bars(200, 100), fit=Fit.CROP)
    assert abs(int(got[0, 0, 0]) - 64) <= 4
    assert abs(int(got[0, -1, 0]) - 191) <= 4
    assert got[..., 1].min() <= 5
    assert got[..., 1].max() >= 250


def test_pad_shows_everything_undistorted_on_black() -> None:
    got = tensor_of(spec(shape=(1, 50, 50, 3)), picture=bars(200, 100), fit=Fit.PAD)
    assert got[:12].max() == 0
    assert got[38:].max() == 0
    assert got[13:37, :, 2].min() == 255
    assert got[25, 0, 0] <= 5
    assert got[25, -1, 0] >= 250


def test_padding_is_black_for_the_model_too() -> None:
    got = tensor_of(spec("float32", (1, 50, 50, 3)), ONE, picture=bars(200, 100), fit=Fit.PAD)
    assert got[0, 0].tolist() == [-1.0, -1.0, -1.0]


sides = st.integers(1, 400)


@given(sides, sides, sides, sides, st.floats(0, 0.9), st.floats(0, 0.9), st.sampled_from(list(Fit)))
def test_every_shape_fits_every_input(  # noqa: PLR0913, PLR0917  what hypothesis draws
    width: int, height: int, to_width: int, to_height: int, x: float, y: float, fit: Fit
) -> None:
    picture = PackedPicture(np.full((height, width, 3), 200, np.uint8))
    region = Region(x, y, 1 - x, (1 - y) / 2)
    got = tensor_of(spec(shape=(1, to_height, to_width, 3)), picture=picture, fit=fit, region=region)
    assert set(np.unique(got)) <= ({0, 200} if fit is Fit.PAD else {200})
    rows, columns = np.nonzero(got[..., 0])
    shown_width, shown_height = np.ptp(columns) + 1, np.ptp(rows) + 1
    assert shown_width == to_width or shown_height == to_height
    if fit is Fit.PAD and min(shown_width, shown_height) > 20:
        shape = (region.width * width) / (region.height * height)
        assert shown_width / shown_height == pytest.approx(shape, rel=0.08)
