"""`edged label`: photos and videos labelled once."""

from __future__ import annotations

import contextlib
import io
import itertools
import sys
from typing import TYPE_CHECKING, NamedTuple

from edged.cli.interrupt import interruptible
from edged.cli.label_words import DESCRIPTION, EPILOG, add_words
from edged.cli.output import CANNOT_WRITE, WRITE_ERRORS
from edged.cli.words import add_command
from edged.errors import BadImageError, SidecarError, UsageError
from edged.text import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable
    from pathlib import Path

    from edged.cli.label_output import Printer
    from edged.cli.label_report import Report
    from edged.cli.label_results import Results
    from edged.labeler import ImageLabeler
    from edged.labeling.outcome import Outcome
    from edged.photos.find import Found
    from edged.photos.pieces import Piece


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    add_words(add_command(commands, "label", run, "labels of photos, folders and videos", DESCRIPTION, EPILOG))


def run(args: argparse.Namespace) -> int:
    """Label everything. Returns 0, 65 where something could not be read, 73 where a sidecar could not be written."""
    import rich.progress  # noqa: F401, PLC0415  all that is heavy now: an interrupted import is no clean end

    from edged.camera import image_file  # noqa: F401, PLC0415  as above
    from edged.labeler import ImageLabeler  # noqa: PLC0415  as above
    from edged.photos import sidecar  # noqa: F401, PLC0415  as above

    _check(args)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that cannot show a character is no reason to stop
        sys.stdout.reconfigure(errors="replace", line_buffering=True)
    labeler = ImageLabeler(
        args.model,
        confidence_threshold=args.threshold,
        max_results=args.max,
        allow=args.allow,
        deny=args.deny,
        fit=args.fit,
        detail=args.detail,
        locale=args.locale,
        members=args.member,
        activation=args.activation,
        threads=args.threads,
        device=args.device,
    )
    for name in labeler.unknown_names({*args.allow, *args.deny}):
        print(f"edged: no label of this model: {printable(name)}", file=sys.stderr)
    with interruptible(), labeler:
        return _label_all(args, labeler)


def _check(args: argparse.Namespace) -> None:
    if args.output and not (args.json or args.csv):
        raise UsageError("--output goes with --json or --csv")
    if args.skip_labelled and not (args.xmp or args.output):
        raise UsageError("--skip-labelled goes with --xmp or --output: they tell what has been labelled before")
    if args.allow and args.deny:
        raise UsageError("give labels to allow or labels to deny, not both")


def _label_all(args: argparse.Namespace, labeler: ImageLabeler) -> int:
    from edged.cli.label_report import Report  # noqa: PLC0415  rich
    from edged.cli.label_results import open_results  # noqa: PLC0415  as above
    from edged.photos.find import find  # noqa: PLC0415  as above
    from edged.photos.pieces import Piece, pieces  # noqa: PLC0415  as above

    files = list(find(args.paths))
    code = 0
    with contextlib.ExitStack() as stack:
        kind = "csv" if args.csv else "json"
        results = open_results(args.output, kind, labeler.model.digest, resume=args.skip_labelled)
        stack.callback(results.close)
        wanted = [found for found in files if not (args.skip_labelled and _labelled(found, results, args, labeler))]
        slow = any(found.is_video for found in wanted)
        report = stack.enter_context(Report(len(wanted), len(files) - len(wanted), slow=slow))
        printer = _printer(args, labeler, results, report)
        outcomes = labeler.process_many(
            pieces(wanted, args.every),
            picture=Piece.picture,
            rotation=args.rotation,
            region=args.region,
            jobs=args.jobs,
        )
        stack.enter_context(contextlib.closing(outcomes))
        for _, of_file in itertools.groupby(outcomes, key=lambda outcome: outcome.image.number):
            problem = _label_file(of_file, printer, args, labeler)
            report.file_done(problem and problem.reason)
            code = max(code, problem.code if problem else 0)
    return code


class _Problem(NamedTuple):
    """What is wrong with a file, and the exit code for that."""

    reason: str
    code: int


def _label_file(
    outcomes: Iterable[Outcome[Piece]], printer: Printer, args: argparse.Namespace, labeler: ImageLabeler
) -> _Problem | None:
    """Say what is on a photo or on all moments of a video, and put it into the sidecar where that is wanted."""
    from edged.cli.label_output import named  # noqa: PLC0415  as above

    best: dict[str, float] = {}
    problem = None
    for outcome in outcomes:
        piece = outcome.image
        if outcome.classification is None:
            problem = _Problem(named(piece.file, str(outcome.error)), BadImageError.exit_code)
            printer.error(piece, str(outcome.error))
            continue
        printer.labels(piece, outcome.classification)
        for label in outcome.labels:
            best[label.text] = max(label.confidence, best.get(label.text, 0.0))
    if problem is None and args.xmp:
        problem = _put_keywords(piece.file, sorted(best, key=lambda text: -best[text]), args, labeler)
    return problem


def _put_keywords(photo: Path, keywords: list[str], args: argparse.Namespace, labeler: ImageLabeler) -> _Problem | None:
    from edged.photos.sidecar import Naming, Sidecar  # noqa: PLC0415  as above

    try:
        Sidecar.of(photo, Naming(args.xmp_name)).put(keywords, labeler.model.digest)
    except SidecarError as error:
        return _Problem(str(error), error.exit_code)
    except OSError as error:
        if error.errno in WRITE_ERRORS:  # a full disk is full for the next one too
            raise
        return _Problem(f"{photo}: no sidecar can be written beside it ({error.strerror})", CANNOT_WRITE)
    return None


def _labelled(found: Found, results: Results, args: argparse.Namespace, labeler: ImageLabeler) -> bool:
    """Whether this model has labelled the file before, wherever that is to be written."""
    from edged.photos.sidecar import Naming, Sidecar  # noqa: PLC0415  as above

    if found.problem is not None or (args.output and str(found.path) not in results.done):
        return False
    if not args.xmp:
        return True
    try:
        return Sidecar.of(found.path, Naming(args.xmp_name)).mark().model == labeler.model.digest
    except SidecarError:  # it will be said when there are keywords to put in
        return False


def _printer(args: argparse.Namespace, labeler: ImageLabeler, results: Results, report: Report) -> Printer:
    from edged.cli.label_output import Csv, JsonLines, Table  # noqa: PLC0415  as above

    stream = results.stream or sys.stdout  # not sooner: while there is a bar, rich lets lines through above it
    if args.csv:
        return Csv(labeler.model, stream)
    if args.json:
        return JsonLines(labeler.model, stream)
    return Table(report.console)
