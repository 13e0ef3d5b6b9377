"""`edged models pack`: a package out of a `.tflite`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edged.cli.interrupt import interruptible
from edged.cli.words import add_command, between
from edged.errors import UsageError
from edged.text import printable

if TYPE_CHECKING:
    from edged.models.pack import Golden

DESCRIPTION = """\
Makes a package out of a .tflite: labels, normalisation, threshold, everyday words, the Edge TPU's file, golden photos.
What can be said in standard TFLite Metadata is written into the .tflite too, so that ML Kit and MediaPipe read it."""

EPILOG = """\
examples:
  edged models pack flowers.tflite --name flowers --version 1.0.0 --labels labels.txt --output flowers-1.0.0
  edged models pack m.tflite --name birds --version 2.1.0 --mean 127.5 --std 127.5 --activation softmax \\
      --groups groups.json --golden robin.jpg=Robin --golden owl.jpg=Owl --output birds-2.1.0

Each golden photo is labelled by the model now; a device that installs the package has to come to the same confidence.
--mean and --std: of float models, real = (pixel - mean) / std, pixels from 0 to 255; one for all channels, or R,G,B.
groups.json: {"Bird": [10, 11, 12], …}, words and the classes below them.
exit codes: 0; 64 wrong words; 65 what does not fit together; 73 the folder is not empty, or cannot be written
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(commands, "pack", run, "make a package of a .tflite", DESCRIPTION, EPILOG)
    parser.add_argument("model", type=Path, metavar="FILE.tflite", help="the model for the CPU")
    parser.add_argument("--name", required=True, metavar="N", help="small letters, digits, '.', '-', '_'")
    parser.add_argument("--version", required=True, metavar="V", help="three numbers such as 1.0.0")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="the package's folder; a new one")
    parser.add_argument("--labels", type=Path, metavar="F", help="one label a line, in the order of classes")
    parser.add_argument("--groups", type=Path, metavar="F", help="everyday words over the classes, JSON")
    parser.add_argument("--edgetpu", type=Path, metavar="FILE", help="the same model compiled for the Edge TPU")
    parser.add_argument("--mean", type=_numbers, metavar="M", help="of the input's normalisation; 127.5 or R,G,B")
    parser.add_argument("--std", type=_numbers, metavar="S", help="as --mean")
    parser.add_argument(
        "--activation", choices=("none", "softmax", "sigmoid"), help="what makes the model's output confidences"
    )
    parser.add_argument(
        "--threshold", type=between(0.0, 1.0, "a confidence"), metavar="T", help="least confidence, 0 to 1"
    )
    parser.add_argument(
        "--golden",
        action="append",
        default=[],
        metavar="PHOTO=LABEL",
        help="a photo and what the model must say of it; may be given again",
    )
    parser.add_argument("--title", default="", metavar="TEXT", help="for people")
    parser.add_argument("--licence", metavar="TEXT", help="(default: the file's own metadata's)")
    parser.add_argument("--source", metavar="TEXT", help="where it comes from (default: the file's name)")


def run(args: argparse.Namespace) -> int:
    """Make the package. Returns 0."""
    from edged.models.pack import Recipe, pack  # noqa: PLC0415  slow to import

    recipe = Recipe(
        model=args.model,
        name=args.name,
        version=args.version,
        labels=args.labels,
        groups=args.groups,
        edgetpu=args.edgetpu,
        mean=args.mean,
        std=args.std,
        activation=args.activation,
        threshold=args.threshold,
        golden=tuple(map(_golden, args.golden)),
        title=args.title,
        licence=args.licence,
        source=args.source,
    )
    with interruptible():
        package = pack(recipe, args.output)
    files = f"{len(package.files)} file{'s' if len(package.files) > 1 else ''}"
    print(printable(f"{args.output}: {package.name} {package.version}, {files}"))
    for photo in package.golden:
        said = ", ".join(f"{label.text} {label.confidence:.2f}" for label in photo.labels)
        print(printable(f"  {photo.photo}: {said}"))
    print(printable(f"to install it: edged models install {args.output}"))
    return 0


def _golden(text: str) -> Golden:
    from edged.models.pack import Golden  # noqa: PLC0415  slow to import

    photo, mark, label = text.rpartition("=")
    if not photo or not mark or not label:
        raise UsageError(f"--golden {text[:200]!r}: a photo and a label, such as robin.jpg=Robin")
    return Golden(Path(photo), label)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) not in {1, 3} or not all(-1e9 < value < 1e9 for value in values):  # noqa: PLR2004  R, G, B
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, nor three such as 123.7,116.8,103.9")
    return values
