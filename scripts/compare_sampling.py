"""How MediaPipe 1.2.2 brings a picture to a model's size on a CPU, so that what differs can be shown to be that alone.

The corners of the region are laid upon the corners of the tensor and the pixel (x, y) of the tensor is looked up at
`x * width / columns`, where edged (and ML Kit, the TFLite Task Library and libcoral) looks at the middle of its area,
`(x + 0.5) * width / columns - 0.5`: MediaPipe looks `(width / columns - 1) / 2` pixels further to the left and top (as
the turned picture lies). Coordinates are rounded to 1/32 of a pixel, and what lies outside repeats the edge. A
picture's transparency is left away. Found by comparing; equal to MediaPipe's answers, to a step of the model's output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edged.camera.pixels import Pixels, as_pixels

if TYPE_CHECKING:
    from edged.camera.geometry import Region, Rotation, Size

RGB = 3


def as_mediapipe_samples(pixels: Pixels, size: Size, region: Region, rotation: Rotation) -> Pixels:
    """The region (of the stored picture) turned clockwise, as MediaPipe gives it to a model: (height, width, 3)."""
    if pixels.ndim < RGB or pixels.shape[2] < RGB:
        pixels = as_pixels(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB))
    pixels = np.ascontiguousarray(pixels[:, :, :RGB])
    left, top = region.x * pixels.shape[1], region.y * pixels.shape[0]
    right, bottom = left + region.width * pixels.shape[1], top + region.height * pixels.shape[0]
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    turn = rotation // 90
    seen = np.array(corners[-turn:] + corners[:-turn] if turn else corners, np.float32)  # clockwise from the top left
    wanted = np.array([(0, 0), (size.width, 0), (size.width, size.height), (0, size.height)], np.float32)
    matrix = cv2.getPerspectiveTransform(wanted, seen)
    columns, rows = np.meshgrid(np.arange(size.width), np.arange(size.height))
    x, y, scale = np.tensordot(matrix, np.stack([columns, rows, np.ones_like(rows)]), axes=1)
    whole, parts = cv2.convertMaps(  # whole pixels, and 32nds
        (x / scale).astype(np.float32), (y / scale).astype(np.float32), cv2.CV_16SC2
    )
    return as_pixels(cv2.remap(pixels, whole, parts, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
