"""Labels of single pictures, for use as a library.

from edged import ImageLabeler

with ImageLabeler() as labeler:
    for label in labeler.process("photo.jpg"):
        print(label.text, label.confidence)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from edged.camera.frame import Frame
from edged.camera.geometry import WHOLE, Region, Rotation
from edged.camera.picture import JpegPicture, Order, PackedPicture, Picture, TurnedPicture, YuvPicture
from edged.classifier import Classification, Classifier, LabelOptions
from edged.engine.engine import Engine, EngineOptions
from edged.errors import UsageError, WorkerError
from edged.labeling.preprocess import Fit
from edged.models.package import find_model, open_package

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from numpy.typing import NDArray
    from PIL.Image import Image

    from edged.labeling.label import Label, ModelRef

    Picturable = str | Path | bytes | Image | NDArray[np.uint8] | Picture | Frame


class ImageLabeler:
    """A model, ready to label pictures. Thread-safe; use it as a context manager, or call `close`.

    Inference runs in a process of its own: a model that crashes it costs a picture, not the caller.

    Args:
        model: `base`, a package's folder or a `.tflite` file.
        confidence_threshold: least confidence; None is the model's own (0.5 for the base model).
        max_results: at most so many labels, 1 or more.
        allow: texts or slugs of the only labels wanted; empty means all.
        deny: texts or slugs of labels that are not wanted.
        fit: how a picture becomes the model's shape; None is the model's own (the whole picture, stretched).
        threads: threads of one inference; None takes all cores but one, three at most.

    Raises:
        ModelError: the model is missing, damaged, or no image classifier.
        UsageError: `max_results` below 1, a threshold outside [0, 1], or both `allow` and `deny`.
        WorkerError: the inference process cannot be started, or dies over the model.
    """

    def __init__(  # noqa: PLR0913  keyword-only options, each with a default
        self,
        model: str | Path = "base",
        *,
        confidence_threshold: float | None = None,
        max_results: int = 10,
        allow: Iterable[str] = (),
        deny: Iterable[str] = (),
        fit: Fit | str | None = None,
        threads: int | None = None,
    ) -> None:
        self._options = LabelOptions(
            confidence_threshold, max_results, frozenset(allow), frozenset(deny), Fit(fit) if fit else None
        )
        _check(self._options)
        package = open_package(find_model(str(model)))
        self._engine = Engine(EngineOptions(threads=threads))
        try:
            self._classifier = Classifier(self._engine, package)
        except BaseException:
            self._engine.close()
            raise

    @property
    def model(self) -> ModelRef:
        """The model's name, version and digest."""
        return self._classifier.ref

    def process(self, image: Picturable, *, rotation: Rotation = 0, region: Region | None = None) -> list[Label]:
        """Label one picture.

        Args:
            image: a path; an image file's bytes; a PIL image; an RGB array (height, width, 3) or a grey one
                (height, width), uint8; a picture such as `YuvPicture`; or a frame.
            rotation: clockwise degrees that make it upright: 0, 90, 180 or 270.
            region: the part to look at, in fractions of the upright picture.

        Returns:
            The labels, best first; confidences in [0, 1].

        Raises:
            BadImageError: it cannot be read as a picture.
            WorkerError: the inference process died over it, twice.
        """
        return list(self.classify(image, rotation=rotation, region=region).labels)

    def classify(self, image: Picturable, *, rotation: Rotation = 0, region: Region | None = None) -> Classification:
        """As `process`, and says on which device and in what time."""
        picture = as_picture(image)
        if rotation:
            picture = TurnedPicture(picture, rotation)
        try:
            return self._classifier.classify(picture, self._options, region or WHOLE)
        except WorkerError:  # the next call starts a new worker; whatever ended the first may have been passing
            return self._classifier.classify(picture, self._options, region or WHOLE)

    def close(self) -> None:
        """End the inference process."""
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def as_picture(image: Picturable) -> Picture:  # noqa: PLR0911  one a kind
    """Whatever a caller has, as a picture. Raises BadImageError."""
    if isinstance(image, Frame):
        return image.picture
    if isinstance(image, PackedPicture | YuvPicture | JpegPicture | TurnedPicture):  # first: Pillow need not be loaded
        return image
    if isinstance(image, np.ndarray):
        return PackedPicture(image, Order.GREY if image.ndim == 2 else Order.RGB)  # noqa: PLR2004  axes
    from edged.camera import image_file  # noqa: PLC0415  Pillow: arrays and frames do without

    if isinstance(image, bytes):
        return image_file.parse_picture(image)
    if isinstance(image, str | Path):
        return image_file.read_picture(Path(image))
    if isinstance(image, image_file.PillowImage):
        return image_file.picture_of_pillow(image)
    return image  # a caller's own kind of picture


def _check(options: LabelOptions) -> None:
    if options.max_results < 1:
        raise UsageError(f"max_results is {options.max_results}; it is 1 or more")
    if options.threshold is not None and not 0.0 <= options.threshold <= 1.0:
        raise UsageError(f"the threshold is {options.threshold}; it is between 0 and 1")
    if options.allow and options.deny:
        raise UsageError("give labels to allow or labels to deny, not both")
