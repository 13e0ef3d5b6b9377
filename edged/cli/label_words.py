"""The words of `edged label`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edged.cli.words import between, threads
from edged.errors import BadImageError

if TYPE_CHECKING:
    from edged.camera.geometry import Region

DESCRIPTION = (
    "Labels photos, videos, or all of them below a folder, once. A file that cannot be read is named; the rest go on."
)

EPILOG = """\
examples:
  edged label photo.jpg
  edged label --threshold 0.2 --max 3 holiday/
  edged label --json holiday/ > labels.jsonl
  edged label --every 5 birthday.mp4              a result for every fifth second of a video
  edged label --region 0.5,0,0.5,1 photo.jpg      the right half only
  edged label --model flowers.tflite rose.jpg
  edged label --xmp --skip-labelled ~/Pictures    keywords beside 10,000 photos; call it again to go on
  edged label --csv --output labels.csv --skip-labelled ~/Pictures

keyword sidecars:
  photo.jpg.xmp is read by digiKam and Immich; photo.xmp (--xmp-name base) by Lightroom, beside raw photos
  only, and by the others after a change of settings. Where one of the two is there, it is used. Only keywords that
  edged has put in are ever taken out; all else in a sidecar stays as it is, byte for byte.

exit code: 0; 65 where a file, a sidecar or the model could not be read; 73 where a sidecar or FILE cannot be written
"""


def add_words(parser: argparse.ArgumentParser) -> None:
    """Add them all."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a photo, a video, or a folder of them")
    _add_model(parser)
    _add_view(parser)
    _add_output(parser)
    _add_work(parser)


def _add_model(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which labels")
    group.add_argument(
        "--model", default="base", metavar="M", help="base, a package's folder or a .tflite (%(default)s)"
    )
    group.add_argument(
        "--max",
        type=between(1, 100_000, "a number of labels"),
        default=10,
        metavar="N",
        help="at most so many labels each (%(default)s)",
    )
    group.add_argument(
        "--threshold",
        type=between(0.0, 1.0, "a confidence"),
        metavar="T",
        help="least confidence, 0 to 1 (default: the model's own)",
    )
    group.add_argument(
        "--detail",
        choices=("everyday", "fine", "both"),
        default="both",
        help='words such as "Bird", the model\'s own classes, or both (%(default)s)',
    )
    group.add_argument(
        "--locale", default="en", metavar="L", help="the language, where a model has several (%(default)s)"
    )
    group.add_argument(
        "--member", action="append", metavar="NAME", help="only this one of the package's models; may be given again"
    )
    group.add_argument(
        "--activation",
        choices=("softmax", "sigmoid", "none"),
        help="what is still to be applied to the scores of a model that does not say it itself",
    )
    group.add_argument(
        "--allow", action="append", default=[], metavar="LABEL", help="only this label; may be given again"
    )
    group.add_argument(
        "--deny", action="append", default=[], metavar="LABEL", help="all but this label; may be given again"
    )


def _add_view(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is looked at")
    group.add_argument(
        "--region", type=_region, metavar="X,Y,W,H", help="look at this part, in fractions of the upright picture"
    )
    group.add_argument(
        "--rotation", type=int, choices=(0, 90, 180, 270), default=0, help="clockwise degrees that make it upright"
    )
    group.add_argument(
        "--fit", choices=("stretch", "crop", "pad"), help="how a picture becomes the model's shape (the model's own)"
    )
    group.add_argument(
        "--every",
        type=between(0.04, 86_400.0, "a number of seconds"),
        default=1.0,
        metavar="S",
        help="of a video, a picture each so many seconds (%(default)g)",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what comes out")
    kind = group.add_mutually_exclusive_group()
    kind.add_argument("--json", action="store_true", help="one JSON object a line")
    kind.add_argument("--csv", action="store_true", help="one row a label")
    group.add_argument("--output", type=Path, metavar="FILE", help="write the JSON or CSV there")
    group.add_argument("--xmp", action="store_true", help="put labels as keywords into XMP sidecars beside the files")
    group.add_argument(
        "--xmp-name",
        choices=("auto", "full", "base"),
        default="auto",
        help="photo.jpg.xmp (full), photo.xmp (base), or the one that is there, else full (auto)",
    )
    group.add_argument(
        "--skip-labelled",
        action="store_true",
        help="leave out what this model has labelled before, by sidecar or by FILE, which is gone on with",
    )


def _add_work(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it works")
    group.add_argument(
        "--jobs",
        type=between(1, 64, "a number of jobs"),
        metavar="N",
        help="files read and decoded at a time (default: one for each core, four at most)",
    )
    group.add_argument("--threads", type=threads, metavar="N", help="threads of one inference")
    group.add_argument(
        "--device",
        choices=("auto", "edgetpu", "cpu"),
        default="auto",
        help="where to infer (auto: on the Edge TPU as soon as it is ready, where there is one)",
    )


def _region(text: str) -> Region:
    from edged.camera.geometry import Region  # noqa: PLC0415

    try:
        x, y, width, height = (float(part) for part in text.split(","))
        return Region(x, y, width, height)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not four numbers such as 0.5,0,0.5,1") from None
    except BadImageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
