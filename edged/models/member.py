"""What a model package is, once it is read: its members, their labels, and what proves them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from edged.labeling.activation import Activation
    from edged.labeling.calibration import ScoreCalibration
    from edged.labeling.label import ModelRef
    from edged.labeling.preprocess import Fit, Normalisation
    from edged.labeling.vocabulary import Group


@dataclass(frozen=True, slots=True)
class Member:
    """One model of a package.

    Attributes:
        cpu: its `.tflite` for the CPU; None for a model of which only the compiled file is there.
        edgetpu: its `.tflite` compiled for the Edge TPU, where there is one.
        labels: texts by class index; empty where nobody gives any.
        normalisation: where the package or the file's metadata states one.
        threshold: its maker's least confidence; where the maker gives none, 0.5 for the base model and 0 for others.
        groups: everyday words over its classes; empty where the package has none.
        activation: what is still to be applied to its output; None where nobody says.
        calibration: how its scores are made comparable, where its metadata says.
    """

    name: str
    cpu: Path | None
    edgetpu: Path | None
    labels: tuple[str, ...]
    normalisation: Normalisation | None
    fit: Fit
    threshold: float
    groups: tuple[Group, ...] = ()
    activation: Activation | None = None
    calibration: ScoreCalibration | None = None

    @property
    def file(self) -> Path:
        """The file to name where one is to be named."""
        file = self.cpu or self.edgetpu
        assert file is not None  # noqa: S101  a member has one of the two
        return file


@dataclass(frozen=True, slots=True)
class Expected:
    """A label that a golden photo must give."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class GoldenPhoto:
    """A photo of the package and what it must give, each within `tolerance`; the first is the best of its kind."""

    photo: Path
    labels: tuple[Expected, ...]
    tolerance: float


@dataclass(frozen=True, slots=True)
class Package:
    """A model package whose files are all there and are what its manifest says. It has one member or more."""

    ref: ModelRef
    members: tuple[Member, ...]
    golden: tuple[GoldenPhoto, ...] = ()

    def with_activation(self, activation: Activation) -> Package:
        """The same, with what is to be applied to the output of those members that do not say it themselves."""
        members = (replace(member, activation=member.activation or activation) for member in self.members)
        return replace(self, members=tuple(members))
