"""MediaPipe's half of `scripts/compare`: run by .venv-mediapipe's Python, which has MediaPipe and no edged.

Reads one JSON object a line and answers each with one: `{"model": FILE}` loads a model; `{"photo": FILE}` classifies
with it (with `rotation` and `region`), and keeps MediaPipe's pixels in `pixels` where that is given.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from mediapipe import Image, ImageFormat
from mediapipe.tasks.python import BaseOptions
from mediapipe.tasks.python.components.containers.rect import RectF
from mediapipe.tasks.python.vision import ImageClassifier, ImageClassifierOptions
from mediapipe.tasks.python.vision.core.image_processing_options import ImageProcessingOptions

NO_THRESHOLD = 1e-9  # 0.0 means "the model's own" to MediaPipe


def load(file: str) -> ImageClassifier:
    """The model, saying every class."""
    base = BaseOptions(model_asset_path=file)
    return ImageClassifier.create_from_options(
        ImageClassifierOptions(base_options=base, max_results=-1, score_threshold=NO_THRESHOLD)
    )


def load_as_users_do(file: str) -> ImageClassifier:
    """The model, saying as many labels as edged does by default: for the time."""
    base = BaseOptions(model_asset_path=file)
    return ImageClassifier.create_from_options(ImageClassifierOptions(base_options=base, max_results=10))


def options(asked: dict[str, Any]) -> ImageProcessingOptions:
    """What is asked, in MediaPipe's terms."""
    region = asked.get("region")
    part = None
    if region is not None:
        x, y, width, height = region
        part = RectF(left=x, top=y, right=x + width, bottom=y + height)
    return ImageProcessingOptions(rotation_degrees=asked.get("rotation", 0), region_of_interest=part)


def scores(classifier: ImageClassifier, asked: dict[str, Any]) -> dict[str, Any]:
    """Every class's score, by index; zeros are left out. And the pixels, where they are asked for."""
    image = Image.create_from_file(asked["photo"])
    if image.image_format == ImageFormat.GRAY8:  # asked, it would fail, and neither answer nor end from then on
        raise ValueError("its ImageClassifier takes no grey pictures")
    found = classifier.classify(image, options(asked)).classifications[0]
    if "pixels" in asked:
        np.save(asked["pixels"], np.array(image.numpy_view()))
    return {"scores": {entry.index: entry.score for entry in found.categories}}


def timed(classifier: ImageClassifier, asked: dict[str, Any]) -> dict[str, Any]:
    """Seconds from the file to the labels."""
    view = options(asked)
    start = time.perf_counter()
    classifier.classify(Image.create_from_file(asked["photo"]), view)
    return {"seconds": time.perf_counter() - start}


def main() -> None:
    """Answer until there are no more questions."""
    os.sched_setaffinity(0, {int(sys.argv[1])})  # MediaPipe has no option for threads
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print is not for the other side
    exact: ImageClassifier | None = None
    quick: ImageClassifier | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        answer: dict[str, Any] = {}
        try:
            if "model" in asked:
                for old in (exact, quick):
                    if old is not None:
                        old.close()
                exact = quick = None
                exact, quick = load(asked["model"]), load_as_users_do(asked["model"])
            elif exact is None or quick is None:
                raise ValueError("no model is loaded")
            elif asked.get("timed"):
                answer = timed(quick, asked)
            else:
                answer = scores(exact, asked)
        except (RuntimeError, ValueError, NotImplementedError, OSError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), file=answers, flush=True)
    for old in (exact, quick):
        if old is not None:
            old.close()


def loop(model: str, photos: list[str]) -> None:
    """A plain loop over photos, as MediaPipe's documentation writes it: for the time of a whole command."""
    with load_as_users_do(model) as classifier:
        for photo in photos:
            (found,) = classifier.classify(Image.create_from_file(photo)).classifications
            print(Path(photo).name, *(f"{entry.category_name} {entry.score:.2f}" for entry in found.categories))


if __name__ == "__main__":
    if sys.argv[1] == "--loop":
        loop(sys.argv[2], sys.argv[3:])
    else:
        main()
