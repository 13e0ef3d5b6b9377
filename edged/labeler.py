"""Labels of single pictures, for use as a library.

from edged import ImageLabeler

with ImageLabeler() as labeler:
    for label in labeler.process("photo.jpg"):
        print(label.text, label.confidence)
    for outcome in labeler.process_many(paths):  # decodes ahead while the model infers
        print(outcome.image, outcome.labels, outcome.error)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from edged.ahead import map_ahead
from edged.classifier import Classification, Classifier, LabelOptions
from edged.engine.engine import Engine, EngineDownError, EngineOptions
from edged.engine.options import EdgeTpuOptions
from edged.errors import BadImageError, EdgedError, ModelError, SourceError, UsageError, WorkerError
from edged.labeling.activation import Activation
from edged.labeling.outcome import Outcome
from edged.labeling.preprocess import Fit
from edged.labeling.vocabulary import Detail
from edged.models.metadata import DEFAULT_LOCALE
from edged.models.package import find_model
from edged.models.prove import open_proved
from edged.picturable import as_picture, check_rotation, part_of, turned

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable
    from pathlib import Path
    from types import TracebackType

    from edged.camera.geometry import Region, Rotation
    from edged.camera.picture import Picture
    from edged.labeling.label import Label, ModelRef
    from edged.picturable import Part, Picturable

T = TypeVar("T")

LOAD_SECONDS = 30.0  # a large model on a worn card


class ImageLabeler:
    """A model, ready to label pictures. Thread-safe; use it as a context manager, or call `close`.

    Inference runs in a process of its own: a model that crashes it costs a picture, not the caller. A model other than
    the base model is opened and tried out in a throw-away process first, once: it takes a second or two.

    Args:
        model: `base`, a package's folder or a `.tflite` file.
        confidence_threshold: least confidence; None is the model's own (0.5 for the base model).
        max_results: at most so many labels, 1 or more.
        allow: texts or slugs of the only labels wanted; empty means all.
        deny: texts or slugs of labels that are not wanted.
        fit: how a picture becomes the model's shape; None is the model's own (the whole picture, stretched).
        detail: `everyday` words such as "Bird", the model's own `fine` classes, or `both`.
        locale: the language of labels that a model has in several.
        members: names of those of the package's models that are to run; None is all of them.
        activation: `softmax`, `sigmoid` or `none`: what is still to be applied to the output of a model that does not
            say it itself; without effect on others.
        threads: threads of one inference; None takes all cores but one, three at most.
        device: `auto` infers on the CPU until the Edge TPU is ready, where there is one; `edgetpu` waits for it.
        edgetpu: its library and device, where they are not the usual ones.

    Raises:
        ModelError: the model is missing, damaged, no image classifier, or crashes or hangs the inference process.
        UsageError: `max_results` or `threads` below 1, a threshold outside [0, 1], an unknown `fit`, `detail` or
            `activation`, or both `allow` and `deny`.
        WorkerError: the inference process cannot be started.
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
        detail: Detail | str = Detail.BOTH,
        locale: str = DEFAULT_LOCALE,
        members: Iterable[str] | None = None,
        activation: Activation | str | None = None,
        threads: int | None = None,
        device: Literal["auto", "edgetpu", "cpu"] = "auto",
        edgetpu: EdgeTpuOptions | None = None,
    ) -> None:
        lists = (_names(allow, "allow"), _names(deny, "deny"))
        self._options = _options(confidence_threshold, max_results, *lists, fit, detail)
        chosen = None if members is None else _names(members, "members")
        if threads is not None and threads < 1:
            raise UsageError(f"threads is {threads}; it is 1 or more")
        path = find_model(str(model))
        wanted = None if activation is None else _activation(activation)
        package = open_proved(path, locale=locale, activation=wanted)
        options = EngineOptions(
            threads=threads, load_deadline=LOAD_SECONDS, device=device, edgetpu=edgetpu or EdgeTpuOptions()
        )
        self._engine = Engine(options)
        try:
            self._classifier = Classifier(self._engine, package, chosen)
            if device == "edgetpu":
                self._engine.settle()
        except WorkerError as error:
            self._engine.close()
            if isinstance(error.__cause__, EdgedError):  # the worker did not even start: that is not the model's fault
                raise
            raise ModelError(f"{path}: damaged, or more than this machine can load ({error})") from error
        except BaseException:
            self._engine.close()
            raise

    @property
    def model(self) -> ModelRef:
        """The model's name, version and digest."""
        return self._classifier.ref

    def unknown_names(self, names: Collection[str]) -> list[str]:
        """Those of an allow or deny list that are no label of this model, by text or slug: worth a warning."""
        return self._classifier.unknown_names(frozenset(names))

    def process(self, image: Picturable, *, rotation: Rotation = 0, region: Part | None = None) -> list[Label]:
        """Label one picture.

        Args:
            image: a path; an image file's bytes, or the file itself, opened for reading bytes; a PIL image; an RGB
                array (height, width, 3) or a grey one (height, width), uint8; a picture, such as `yuv_picture` makes
                of a camera's bytes; or a frame.
            rotation: clockwise degrees that make it upright: 0, 90, 180 or 270.
            region: the part to look at, in fractions of the upright picture: x, y, width, height, or a `Region`.

        Returns:
            The labels, best first; confidences in [0, 1].

        Raises:
            BadImageError: it cannot be read as a picture, or the region leaves it.
            UsageError: no such kind of picture, or no such rotation.
            ModelError: the model's scores are no confidences.
            WorkerError: the inference process died over it, twice.
        """
        return list(self.classify(image, rotation=rotation, region=region).labels)

    def classify(self, image: Picturable, *, rotation: Rotation = 0, region: Part | None = None) -> Classification:
        """As `process`, and says on which device and in what time."""
        return self._classify(turned(as_picture(image), rotation), part_of(region))

    def process_many(
        self,
        images: Iterable[T],
        *,
        picture: Callable[[T], Picturable] | None = None,
        rotation: Rotation = 0,
        region: Part | None = None,
        jobs: int | None = None,
    ) -> Generator[Outcome[T], None, None]:
        """Label many pictures: files are read and decoded in a few threads while the model infers.

        Args:
            images: whatever `process` takes; or anything, with `picture` to say what it stands for. Taken as they are
                needed, never more than twice `jobs` ahead: a generator may be endless.
            picture: gives an item's picture, or its file; called in one of the threads.
            rotation: as for `process`.
            region: as for `process`.
            jobs: how many threads; None is one for each core, four at most. So many pictures are in memory at once.

        Returns:
            The outcomes, in the order of the images. What is wrong with one picture is its outcome's `error`, and the
            next goes on. To stop early, leave the loop: nothing further is begun.

        Raises:
            UsageError: at once: `jobs` below 1, no such rotation. Later: something that is no picture at all.
            BadImageError: at once: the region leaves the picture.
            ModelError: the model's scores are no confidences.
            EngineDownError: the inference process has died so often that it is started again only after a while.
        """
        part, threads = part_of(region), _cores() if jobs is None else jobs
        check_rotation(rotation)
        if threads < 1:
            raise UsageError(f"jobs is {threads}; it is 1 or more")

        def attempt(item: T) -> Outcome[T]:
            try:
                found = turned(as_picture(item if picture is None else picture(item)), rotation)  # type: ignore[arg-type]  # a T without `picture` is a picture, or `as_picture` says so
                self._classifier.look_ahead(found, self._options, part)
                return Outcome(item, self._classify(found, part))
            except EngineDownError:
                raise
            except (BadImageError, SourceError, WorkerError) as error:
                return Outcome(item, error=error)

        return map_ahead(attempt, images, threads)

    def _classify(self, picture: Picture, part: Region) -> Classification:
        try:
            return self._classifier.classify(picture, self._options, part)
        except WorkerError:  # the next call starts a new worker; whatever ended the first may have been passing
            return self._classifier.classify(picture, self._options, part)

    def close(self) -> None:
        """End the inference process."""
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _cores() -> int:
    return min(4, len(os.sched_getaffinity(0)))


def _names(names: Iterable[str], what: str) -> frozenset[str]:
    if isinstance(names, str):  # its letters would be taken for names
        raise UsageError(f"{what} is {names!r}; it is a list, such as [{names!r}]")
    return frozenset(names)


def _activation(name: str) -> Activation:
    if name not in tuple(Activation):
        raise UsageError(f"activation is {name!r}; it is {', '.join(Activation)}")
    return Activation(name)


def _options(  # noqa: PLR0913, PLR0917  see `ImageLabeler`
    threshold: float | None,
    max_results: int,
    allow: frozenset[str],
    deny: frozenset[str],
    fit: str | None,
    detail: str,
) -> LabelOptions:
    if max_results < 1:
        raise UsageError(f"max_results is {max_results}; it is 1 or more")
    if threshold is not None and not 0.0 <= threshold <= 1.0:
        raise UsageError(f"the threshold is {threshold}; it is between 0 and 1")
    if allow and deny:
        raise UsageError("give labels to allow or labels to deny, not both")
    if fit is not None and fit not in tuple(Fit):
        raise UsageError(f"fit is {fit!r}; it is {', '.join(Fit)}")
    if detail not in tuple(Detail):
        raise UsageError(f"detail is {detail!r}; it is {', '.join(Detail)}")
    return LabelOptions(threshold, max_results, allow, deny, None if fit is None else Fit(fit), Detail(detail))
