"""A package in an engine: picture in, labels out. What the pipeline and the library have in common."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from edged.camera.geometry import WHOLE, Region, Size
from edged.engine.options import ModelFiles
from edged.errors import ModelError
from edged.labeling.decode import Choice, decode, merge
from edged.labeling.preprocess import look_ahead
from edged.labeling.vocabulary import Candidates, Detail, Vocabulary, vocabularies
from edged.loaded_member import LoadedMember

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from edged.camera.picture import Picture
    from edged.engine.engine import Engine
    from edged.labeling.label import Label, ModelRef
    from edged.labeling.preprocess import Fit
    from edged.models.member import Member, Package

_MOST_WATCHED: Final = 1000  # of one frame


@dataclass(frozen=True, slots=True)
class Watch:
    """Labels that are looked for besides those that come out, whatever threshold and `max_results` say.

    Attributes:
        names: texts or slugs; they are looked for even where allow, deny and detail leave them out.
        others: the least confidence of all that allow, deny and detail let through; None: no others.
    """

    names: frozenset[str]
    others: float | None = None


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """Whose labels are wanted, by one camera or one call.

    Attributes:
        threshold: least confidence; None is the model's own.
        max_results: at most so many labels.
        allow, deny: label texts or slugs.
        fit: how the picture becomes the model's shape; None is the model's own.
        detail: everyday words, the model's own classes, or both.
        watch: what is looked for besides; None: nothing.
    """

    threshold: float | None = None
    max_results: int = 10
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    fit: Fit | None = None
    detail: Detail = Detail.BOTH
    watch: Watch | None = None


@dataclass(frozen=True, slots=True)
class Classification:
    """The labels of one picture, best first, and where the time went (seconds, of all members together).

    `device` is `edgetpu` where one of the members ran there. `watched` is what was looked for besides, in any order.
    """

    labels: tuple[Label, ...]
    device: str
    preprocess: float
    inference: float
    watched: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one camera's options mean for one member."""

    member: LoadedMember
    fit: Fit
    rows: Candidates
    choice: Choice
    besides: tuple[tuple[Candidates, Choice], ...]


class Classifier:
    """The members of a package, or those of them that are named, loaded into an engine.

    `beside`: while another classifier labels, no frame of which waits for it.

    Raises:
        ModelError: a file cannot be loaded, or is not an image classifier with these labels, or its scores are known to
            be no confidences; or the package has no member of that name.
        WorkerError: the worker died over a file.
    """

    def __init__(
        self, engine: Engine, package: Package, members: Collection[str] | None = None, *, beside: bool = False
    ) -> None:
        self.ref: ModelRef = package.ref
        self._plans: dict[LabelOptions, tuple[_Plan, ...]] = {}
        self._members: list[LoadedMember] = []
        chosen = choose(package, members)
        files = [ModelFiles(member.cpu, member.edgetpu) for member in chosen]
        slots: list[int] = engine.load_beside(files) if beside else []
        try:
            for member, slot in zip_longest(chosen, slots):
                self._members.append(LoadedMember(engine, member, slot))
        except BaseException:
            for slot in {*slots, *self.slots}:
                engine.unload(slot)
            raise
        vocabulary = [(loaded.member.name, loaded.texts, loaded.member.groups) for loaded in self._members]
        self._vocabularies: tuple[Vocabulary, ...] = vocabularies(vocabulary, first=package.members[0].name)

    @property
    def slots(self) -> tuple[int, ...]:
        """Where the engine holds the members."""
        return tuple(loaded.slot for loaded in self._members)

    @property
    def slot(self) -> int:
        """Where the engine holds the first member."""
        return self._members[0].slot

    @property
    def size(self) -> Size:
        """Width and height of the pictures that the first member takes."""
        return self._members[0].size

    @property
    def threshold(self) -> float:
        """The first member's own least confidence."""
        return self._members[0].member.threshold

    @property
    def slugs(self) -> dict[str, str]:
        """Every text that a label may have, members in their order and classes before groups, with its slug."""
        slugs: dict[str, str] = {}
        for words in self._vocabularies:
            for word in words.words:
                slugs.setdefault(word.text, word.slug)
        return slugs

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that a label may have."""
        return tuple(self.slugs)

    def unknown_names(self, names: frozenset[str]) -> list[str]:
        """Those of an allow or deny list that are no label of this model: a warning's worth."""
        words = [word for words in self._vocabularies for word in words.words]
        return sorted(names - {word.text for word in words} - {word.slug for word in words})

    def classify(self, picture: Picture, options: LabelOptions, region: Region = WHOLE) -> Classification:
        """Label one picture: every member looks at it, one after the other, and equal texts become one label.

        Raises:
            BadImageError: the picture is damaged.
            ModelError: a model's scores are no confidences.
            WorkerError: see `Engine.infer`.
        """
        labels: list[Label] = []
        watched: list[Label] = []
        device = "cpu"
        preprocess = inference = 0.0
        for plan in self._plan(options):
            confidences, done, spent = plan.member.infer(picture, plan.fit, region)
            labels += decode(confidences, plan.rows, plan.choice)
            for rows, choice in plan.besides:
                watched += decode(confidences, rows, choice)
            preprocess += spent
            inference += done.seconds
            if done.device == "edgetpu":
                device = done.device
        best = merge(labels, options.max_results)
        return Classification(best, device, preprocess, inference, tuple(watched))

    def unload(self) -> None:
        """Have the engine forget the members."""
        for loaded in self._members:
            loaded.unload()

    def look_ahead(self, picture: Picture, options: LabelOptions, region: Region = WHOLE) -> None:
        """Have the picture decoded, in the caller's thread, before it is this picture's turn. Raises BadImageError."""
        for plan in self._plan(options):
            look_ahead(picture, plan.member.size, plan.fit, region)

    def _plan(self, options: LabelOptions) -> tuple[_Plan, ...]:
        plans = self._plans.get(options)
        if plans is None:
            pairs = zip(self._members, self._vocabularies, strict=True)
            plans = self._plans[options] = tuple(_planned(loaded, words, options) for loaded, words in pairs)
        return plans


def choose(package: Package, members: Collection[str] | None) -> tuple[Member, ...]:
    """The members of a package that are named, in the package's order; None: all.

    Raises:
        ModelError: it has none of such a name, or none is named.
    """
    if members is None:
        return package.members
    known = [member.name for member in package.members]
    unknown = sorted(set(members) - set(known))
    if unknown or not members:
        what = f"has no member {', '.join(unknown)}" if unknown else "is to run none of its members"
        raise ModelError(f"the model {package.ref.name} {what}; it has {', '.join(known)}")
    return tuple(member for member in package.members if member.name in members)


def _planned(loaded: LoadedMember, words: Vocabulary, options: LabelOptions) -> _Plan:
    member = loaded.member
    threshold = member.threshold if options.threshold is None else options.threshold
    choice = Choice(threshold, options.max_results, options.allow, options.deny, options.detail)
    besides = tuple((choice.candidates(words), choice) for choice in _besides(options))
    return _Plan(loaded, options.fit or member.fit, choice.candidates(words), choice, besides)


def _besides(options: LabelOptions) -> Iterator[Choice]:
    if options.watch is None:
        return
    if options.watch.names:
        yield Choice(0.0, _MOST_WATCHED, allow=options.watch.names)
    if options.watch.others is not None:
        yield Choice(options.watch.others, _MOST_WATCHED, options.allow, options.deny, options.detail)
