"""Snapshots over a real broker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg
from support.daemon import Daemon
from support.mosquitto import until

from edged.camera.geometry import Size
from edged.labeling.label import Label
from edged.snapshots import HEIGHT, WIDTH, _small, draw

if TYPE_CHECKING:
    from pathlib import Path

    from support.mosquitto import Mosquitto, Subscriber


def test_the_labels_are_written_below_the_picture() -> None:
    pixels = np.full((90, 160, 3), 200, np.uint8)
    labels = tuple(Label(text, 0.9, 0) for text in ("Cat", "Żółw", "x" * 500, "fourth"))
    drawn = simplejpeg.decode_jpeg(draw(pixels, labels))
    assert drawn.shape[1] == 160
    assert drawn.shape[0] > 90
    assert abs(int(drawn[45, 80, 0]) - 200) < 5, "the picture itself is as it was"
    assert drawn[90:].max() > 150, "something is written"
    assert draw(pixels, ()) != draw(pixels, labels)


def test_a_large_picture_becomes_small_and_keeps_its_shape() -> None:
    assert _small(Size(1280, 960)) == Size(640, 480)
    assert _small(Size(320, 240)) == Size(320, 240)
    assert _small(Size(100_000, 10)) == Size(640, 1)
    assert _small(Size(640, 50_000)) == Size(12, 960)
    assert _small(Size(1, 50_000)) == Size(1, 960)


def test_a_snapshot_is_small_whatever_the_camera_shows() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)  # nothing takes more bytes
    assert len(draw(noise, ())) < 1_000_000, "brokers refuse more, by default"


def test_only_cameras_that_are_to_publish_do_and_what_others_left_is_taken_away(
    tmp_path: Path, broker: Mosquitto, photos: Path, subscriber: Subscriber
) -> None:
    cameras = f"  a: {{source: {photos}, fps: 5, image: true}}\n  b: {{source: {photos}, fps: 5}}"
    subscriber.send("edged/test/b/image", b"of yesterday", retain=True)
    with Daemon(tmp_path, broker.port, cameras):
        until(lambda: any(subscriber.on("edged/test/a/image")), 30)
        until(lambda: subscriber.on("edged/test/b/image") == [b"of yesterday", b""], 30)
        time.sleep(1)
    (image,) = subscriber.on("edged/test/a/image")
    assert image.startswith(b"\xff\xd8\xff"), "one in ten seconds"
