"""Another model takes the place of the one that labels, between two frames."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from edged.camera.image_file import read_picture
from edged.classifier import Classifier, LabelOptions
from edged.errors import BadImageError, EdgedError, ModelError, WorkerError
from edged.models.golden import check_golden

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from edged.engine.engine import Engine
    from edged.labeling.label import Label
    from edged.labeling.vocabulary import Detail
    from edged.models.member import Package
    from edged.pipeline import Pipeline

log = logging.getLogger(__name__)

ALL: Final = 1_000_000


class ModelSwitch:
    """For one thread at a time; every call blocks, for as long as loading may take.

    Args:
        engine: where models are loaded.
        pipeline: which labels, and has loaded its first model.
        members: those of a package that are wanted; None is all.
        seconds: how long the pipeline may take to get to its next frame.
        taken: told of every classifier that has taken over.
    """

    def __init__(
        self,
        engine: Engine,
        pipeline: Pipeline,
        members: Collection[str] | None,
        seconds: float,
        taken: Callable[[Classifier], None],
    ) -> None:
        self._engine = engine
        self._pipeline = pipeline
        self._members = members
        self._seconds = seconds
        self._taken = taken

    def to(self, package: Package) -> int:
        """Label with this package from the next frame on. No frame waits for its loading.

        Returns:
            how often inference had been started again when it took over: what comes after is its own doing.

        Raises:
            ModelError: it cannot be loaded, or on the Edge TPU its golden photos give something else.
            WorkerError: a worker died or hung over it.
            After either the model before labels on.
        """
        classifier = Classifier(self._engine, package, self._members, beside=True)
        try:
            self._look_at_golden_photos(classifier, package)
            before = self._pipeline.classifier
            restarts = self._engine.state().restarts
            if not self._pipeline.exchange(classifier, self._seconds):
                raise WorkerError("the pipeline does not get to its next frame")
        except BaseException:
            classifier.unload()
            raise
        if before is not None:
            before.unload()
        self._taken(classifier)
        return restarts

    def back_to(self, package: Package) -> None:
        """As `to`, away from a model that may take every worker along in which it is loaded.

        Raises:
            ModelError, WorkerError: as `to`.
        """
        try:
            self.to(package)
        except EdgedError as error:
            log.warning("%s %s: %s; once more without the model before", package.ref.name, package.ref.version, error)
            before = self._pipeline.classifier
            if before is not None:
                before.unload()  # no frame is labelled until the next line is through
            self.to(package)

    def _look_at_golden_photos(self, classifier: Classifier, package: Package) -> None:
        """On the Edge TPU; what the CPU makes of them the throw-away process has seen."""
        if self._members is not None or all(member.edgetpu is None for member in package.members):
            return
        if self._engine.state().device != "edgetpu":
            return

        def look(photo: Path, detail: Detail) -> Sequence[Label]:
            options = LabelOptions(threshold=0.0, max_results=ALL, detail=detail)
            return classifier.classify(read_picture(photo), options).labels

        try:
            check_golden(package, look)
        except BadImageError as error:
            raise ModelError(f"a golden photo cannot be read: {error}") from error
