"""MediaPipe, asked in an interpreter of its own: $EDGED_MEDIAPIPE_PYTHON, one with MediaPipe 1.2 installed.

`scripts/compare` makes one: .venv-mediapipe/bin/python.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

ASK_MEDIAPIPE = """
import json, sys
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision
picture, locale, *models = sys.argv[1:]
answers = []
for model in models:
    options = vision.ImageClassifierOptions(
        base_options=BaseOptions(model_asset_path=model), display_names_locale=locale or None
    )
    try:
        with vision.ImageClassifier.create_from_options(options) as classifier:
            head = classifier.classify(mp.Image.create_from_file(picture)).classifications[0]
        rows = [[entry.index, entry.category_name, entry.display_name, entry.score] for entry in head.categories]
        answers.append([head.head_name, sorted(rows)])
    except (NotImplementedError, ValueError) as error:
        answers.append([str(error), []])
print("ANSWER " + json.dumps(answers))
"""


def ask_mediapipe(script: str, *arguments: object) -> Any:  # noqa: ANN401  whatever JSON holds
    """What a script says under MediaPipe's interpreter; the test is skipped where there is none."""
    python = os.environ.get("EDGED_MEDIAPIPE_PYTHON")
    if not python:
        pytest.skip("EDGED_MEDIAPIPE_PYTHON is not set: name an interpreter that has MediaPipe with it")
    command = [python, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    answers = [line.removeprefix("ANSWER ") for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    assert answers, done.stderr[-2000:]
    return json.loads(answers[0])


def answers_of_mediapipe(
    folder: Path, picture: Path, models: list[bytes], locale: str = ""
) -> list[tuple[str, list[Any]]]:
    """What MediaPipe says of a picture with each of these models: the output's name; index, name, title, score."""
    paths = [folder / f"{number}.tflite" for number in range(len(models))]
    for path, model in zip(paths, models, strict=True):
        path.write_bytes(model)
    return [(name, rows) for name, rows in ask_mediapipe(ASK_MEDIAPIPE, picture, locale, *paths)]
