"""What a Raspberry Pi camera is asked for, and what it then gives.

Facts about picamera2 and libcamera here are those of picamera2 0.3.38 on libcamera 0.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edged.camera.geometry import Size
from edged.camera.picamera_layout import (
    Layout,
    StreamConfiguration,
    colours,
    frame_duration,
    sees_whole,
    sensor_modes,
    stream_size,
)

if TYPE_CHECKING:
    from picamera2 import Picamera2

BUFFERS: Final = 3  # one with the camera, one in its queue, one being copied

_LORES: Final = 1  # the stream's place in libcamera's configuration: after `main`


def configure(camera: Picamera2, wanted: Size | None, fps: float) -> Layout:
    """Configure an open camera, not yet started.

    Args:
        camera: to configure.
        wanted: the least size of the whole picture, as the sensor gives it; None: not known.
        fps: frames per second that will be used at most.

    Returns:
        How its pictures lie in memory.

    Raises:
        SourceError: the pictures that it gives are of no kind that can be used.
        Exception: whatever else picamera2 raises.
    """
    _configure(camera, wanted)
    _set_controls(camera, fps)
    return _layout(camera)


def _configure(camera: Picamera2, wanted: Size | None) -> None:
    """Choose size, colours and the sensor's mode so that everything is seen and nothing is computed twice."""
    from libcamera import ColorSpace  # noqa: PLC0415  as picamera2

    view = _view(camera)
    size = stream_size(wanted, view, 128 if camera.platform.name == "PISP" else 64)
    stream = {"format": "YUV420", "size": (size.width, size.height)}
    for mode in _modes(camera, size, view):
        camera.configure(
            camera.create_video_configuration(
                main=stream,  # libcamera wants one that is no smaller; nobody looks at it
                lores=stream,
                raw=None,
                colour_space=ColorSpace.Sycc(),
                buffer_count=BUFFERS,
                display=None,
                encode=None,
                queue=False,  # a frame that waited for us would be one interval old
                sensor={"output_size": (mode.width, mode.height)} if mode else {},
            )
        )
        crop = camera.camera_controls.get("ScalerCrop")
        if crop is None:
            return
        whole = crop[1]  # the largest that this mode allows; the default is cut to the stream's aspect
        # The size is the view's in aspect but for the rounding to `multiple`: better stretched by that than cut.
        crops = {"ScalerCrops": [whole, whole]} if "ScalerCrops" in camera.camera_controls else {"ScalerCrop": whole}
        camera.set_controls(crops)
        if sees_whole(Size(whole[2], whole[3]), view):
            return


def _view(camera: Picamera2) -> Size:
    """The sensor's whole field of view, in its pixels."""
    areas = camera.camera_properties.get("PixelArrayActiveAreas")
    width, height = areas[0][2:] if areas else camera.sensor_resolution
    return Size(width, height)


def _modes(camera: Picamera2, size: Size, view: Size) -> list[Size] | list[None]:
    """The sensor's modes to try, in order. Not `Picamera2.sensor_modes`: it configures the camera for each of them."""
    from libcamera import StreamRole  # noqa: PLC0415  as picamera2

    if "ColorFilterArrangement" not in camera.camera_properties:  # picamera2's own sign for a Pi's camera
        return [None]
    formats = camera.camera.generate_configuration([StreamRole.Raw]).at(0).formats
    modes = [Size(mode.width, mode.height) for kind in formats.pixel_formats for mode in formats.sizes(kind)]
    return sensor_modes(modes, size, view) or [None]


def _set_controls(camera: Picamera2, fps: float) -> None:
    limits = camera.camera_controls.get("FrameDurationLimits")
    if limits is not None:
        duration = frame_duration(fps, limits[0], limits[1])
        camera.set_controls({"FrameDurationLimits": (duration, duration)})
    if "AfMode" in camera.camera_controls:
        from libcamera import controls  # noqa: PLC0415  as picamera2

        camera.set_controls({"AfMode": controls.AfModeEnum.Continuous})  # libcamera's default leaves the lens alone


def _layout(camera: Picamera2) -> Layout:
    """What was configured: libcamera adjusts silently what it cannot do."""
    stream: StreamConfiguration = camera.camera_configuration()["lores"]
    # Not picamera2's own `colour_space`: that is the other stream's, and rounded to one that has a name.
    space = camera.libcamera_config.at(_LORES).color_space
    matrix, full_range = colours(
        None if space is None else space.ycbcrEncoding.name, None if space is None else space.range.name
    )
    return Layout(stream["format"], Size(*stream["size"]), matrix, full_range)
