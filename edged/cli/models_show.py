"""`edged models show`: everything that is known of a model."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from edged.cli.models_words import RULE, add_state, open_store, size_words
from edged.cli.words import add_command
from edged.errors import ModelError
from edged.text import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from edged.models.catalogue import Published
    from edged.models.record import Record
    from edged.models.show import ShownFile, ShownMember, ShownModel, ShownTensor

DESCRIPTION = """\
Everything that is known of a model: inputs, outputs, quantisation, operators, TFLite Metadata, labels, everyday words,
golden photos, the Edge TPU's file, licence, source and digest; of an installed one also where it came from and how it
has done."""

EPILOG = f"""\
examples:
  edged models show                       the base model
  edged models show flowers.tflite        a file, a package's folder, or the name of an installed model
  edged models show coral-birds           not installed: what the catalogue says of it
  edged models show base --json           one JSON object, every label in it

{RULE}
"""
FEW = 5  # labels and words that are shown to people


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(commands, "show", run, "everything known of a model", DESCRIPTION, EPILOG)
    parser.add_argument("model", nargs="?", default="base", metavar="MODEL", help="a name, or a path (%(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_state(parser)


def run(args: argparse.Namespace) -> int:
    """Print it. Returns 0."""
    from edged.models.catalogue import catalogue  # noqa: PLC0415  slow to import
    from edged.models.package import find_model  # noqa: PLC0415  as above
    from edged.models.show import show_model  # noqa: PLC0415  as above
    from edged.updates.shelf import refusals_of  # noqa: PLC0415  as above

    store = open_store(args)
    try:
        path = find_model(args.model, (store,))
    except ModelError:
        if args.model not in catalogue():
            raise
        _print_published(catalogue()[args.model], as_json=args.json)
        return 0
    shown = show_model(path)
    entry = store.entry(path.name) if path.parent == store.folder else None
    refusal = refusals_of(store).of(shown.digest)
    why = None if refusal is None else refusal.why
    if args.json:
        kept = None if entry is None else {**asdict(entry.record), "refused": why}
        print(json.dumps({"schema": 1, "installed": True, **asdict(shown), "record": kept}))
    else:
        for line in _lines(shown, None if entry is None else entry.record, why):
            print(printable(line))
    return 0


def _print_published(model: Published, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"schema": 1, "installed": False, **asdict(model), "size": model.size}))
        return
    print(f"{model.name} {model.version}: not installed (edged models install {model.name})")
    for name, value in (
        ("title", model.title),
        ("knows", model.knows),
        ("licence", model.licence),
        ("source", model.source),
        ("Edge TPU", "yes" if model.edgetpu else "no"),
        ("download", size_words(model.size)),
        ("sha256", model.model.sha256),
    ):
        print(f"  {name:<9}{value}")


def _lines(model: ShownModel, record: Record | None, refused: str | None) -> Iterator[str]:
    yield f"{model.name} {model.version}"
    for name, value in (
        ("title", model.title),
        ("licence", model.licence),
        ("source", model.source),
        ("digest", model.digest),
        ("path", model.path),
        ("state", "" if record is None else record.state.replace("_", " ")),
        ("from", "" if record is None else f"{record.source} ({record.installed[:10]})"),
        ("refused", refused),
    ):
        if value:
            yield f"  {name:<9}{value}"
    for member in model.members:
        yield f"member {member.name}"
        yield from _member(member)
    for golden in model.golden:
        labels = ", ".join(f"{label.text} {label.confidence:.2f}" for label in golden.labels)
        yield f"golden {golden.photo}: {labels} (± {golden.tolerance:g})"


def _member(member: ShownMember) -> Iterator[str]:
    yield f"  threshold    {member.threshold:g}"
    yield f"  fit          {member.fit}"
    yield f"  activation   {member.activation or 'not said'}"
    yield f"  normalised   {_normalised(member.mean, member.std)}"
    yield f"  labels       {_some(member.labels) if member.labels else 'none: indices'}"
    if member.groups:
        yield f"  words        {_some(tuple(member.groups))}"
    for what, file in (("CPU", member.cpu), ("Edge TPU", member.edgetpu)):
        if file is None:
            yield f"  {what:<12} no file"
        else:
            yield f"  {what:<12} {file.file}, {size_words(file.size)}"
            yield from _file(file)


def _file(file: ShownFile) -> Iterator[str]:
    if file.min_runtime:
        yield f"    runtime    {file.min_runtime} or later"
    for what, tensors in (("input", file.inputs), ("output", file.outputs)):
        for tensor in tensors:
            yield f"    {what:<10} {_tensor(tensor)}"
    yield f"    operators  {', '.join(operator.name for operator in file.operators)}"
    said = file.metadata
    if said is None:
        yield "    metadata   none"
        return
    words = [said.name, said.version and f"version {said.version}", said.author, said.licence, said.description]
    yield f"    metadata   {'; '.join(word for word in words if word) or 'without a name'}"
    if said.mean is not None:
        yield f"      normalised {_normalised(said.mean, said.std)}"
    if said.threshold is not None:
        yield f"      threshold  {said.threshold:g}"
    if said.calibrated:
        yield "      scores     calibrated"
    if said.files:
        yield f"      files      {', '.join(said.files)}"


def _tensor(tensor: ShownTensor) -> str:
    quantised = f", value = (number - {tensor.zero_point}) * {tensor.scale:g}" if tensor.scale else ""
    return f"{tensor.dtype} {list(tensor.shape)} {tensor.name}{quantised}"


def _normalised(mean: tuple[float, ...] | None, std: tuple[float, ...] | None) -> str:
    if mean is None or std is None:
        return "not said"
    return f"(pixel - {', '.join(f'{value:g}' for value in mean)}) / {', '.join(f'{value:g}' for value in std)}"


def _some(texts: tuple[str, ...]) -> str:
    more = f", … ({len(texts)})" if len(texts) > FEW else ""
    return ", ".join(texts[:FEW]) + more
