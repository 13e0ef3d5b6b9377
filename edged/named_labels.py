"""The labels that a configuration names, beside those that its model has: a slip of the pen is waited for in vain."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from edged.config import slug
from edged.errors import ModelError
from edged.labeling.vocabulary import vocabularies
from edged.models.choose import choose
from edged.models.package import BASE, find_model, open_package
from edged.models.places import may_look
from edged.models.store import Store
from edged.updates.shelf import refusals_of
from edged.watched import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edged.config import Config
    from edged.models.member import Package


def unknown_labels(config: Config) -> Iterator[str]:
    """One sentence for each that the model does not have which a start would label with.

    Of a model at a path nothing is said, as nobody looks into that before it has proved itself; nor of one that is
    still to come from a registry.
    """
    package = _package(config)
    if package is None:
        return
    wanted = config.model.members
    members = [member for member in package.members if wanted is None or member.name in wanted]
    if not members or not all(member.labels for member in members):
        return
    words = vocabularies(
        [(member.name, member.labels, member.groups) for member in members], first=package.members[0].name
    )
    texts = {word.slug: word.text for vocabulary in words for word in vocabulary.words}
    known = {EVERYTHING, *texts, *texts.values()}
    for name, camera in config.cameras.items():
        named: dict[str, Iterable[str]] = {
            "labels.allow": camera.labels.allow,
            "labels.deny": camera.labels.deny,
            "presence": camera.presence,
        }
        for key, labels in named.items():
            for label in labels:
                if label not in known:
                    where = f"cameras.{name}.{key}: the model {package.ref.name} has no label {label!r}"
                    yield f"{where}{_meant(label, texts)}"


def _package(config: Config) -> Package | None:
    store, name = Store(config.state), config.model.name
    if not may_look(config.state):  # it may have a choice of which nothing is known here
        return None
    chosen = choose(store, name, refusals_of(store).digests) if config.model.path is None else None
    if chosen is None and (config.model.path is not None or name != BASE):
        return None
    try:
        return open_package(find_model(BASE) if chosen is None else chosen.folder, locale=config.model.locale)
    except ModelError:  # `edged doctor` says that
        return None


def _meant(label: str, texts: dict[str, str]) -> str:
    close = difflib.get_close_matches(slug(label), texts, n=1)
    if not close:
        return ""
    return f"; did you mean {close[0] if label == slug(label) else texts[close[0]]!r}?"
