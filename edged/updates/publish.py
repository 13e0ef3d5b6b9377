"""What a registry offers, changed: models published, promoted from channel to channel, and revoked."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from edged.errors import ModelError, RegistryError, UsageError, WorkerError
from edged.models.durable import write_file
from edged.models.files import MAX_MODEL_BYTES, read
from edged.models.package import MANIFEST, read_summary
from edged.models.version import version_order
from edged.updates.exclusive import exclusive
from edged.updates.layout import (
    REVOKED,
    STABLE,
    Before,
    Channel,
    ModelInfo,
    Offer,
    Revocation,
    Revocations,
    channel_target,
    model_target,
    parse_channel,
    parse_model_info,
    parse_revocations,
    to_custom,
    to_json,
)
from edged.updates.repository import ONLINE, NewTarget, Repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edged.models.package import Summary
    from edged.updates.keys import Keys
    from edged.updates.served import Served


class Check(Protocol):
    """Tries a package as a device would."""

    def __call__(self, package: Path, /) -> object:
        """Raises ModelError where a device would refuse it."""


@dataclass(frozen=True, slots=True)
class Release:
    """How a version is to be offered. `rollout` is the share of devices in percent."""

    channel: str = STABLE
    rollout: float = 100.0
    notes: str = ""
    requires: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Published:
    """What was done: the model, how the channel offers it, and how it offered it before, where it did."""

    model: ModelInfo
    channel: str
    offer: Offer
    replaced: Offer | None


def publish(folder: Path, keys: Keys, package: Path, release: Release, check: Check) -> Published:
    """Sign a package and offer it in a channel. What is checked is what is signed: a copy, which nobody else changes.

    Raises:
        ModelError: it is no package, or `check` refuses it.
        WorkerError: it cannot be checked here.
        UsageError: its version is there already, or is not newer than the channel's.
        RegistryError, UnavailableError, PermissionDeniedError, CannotWriteError: as `exclusive` and `Repository`.
    """
    with exclusive(folder) as staging:
        repository = Repository(folder, staging, keys)
        repository.require_keys(*ONLINE)
        if not (package / MANIFEST).is_file():
            raise ModelError(
                f"{package}: no model package (a folder with {MANIFEST}); `edged models pack` makes one of a .tflite"
            )
        summary = read_summary(package)
        _check_new(repository.served, summary, release.channel)
        copied = _copy(package, staging / "package", summary)
        try:
            check(copied)
        except (ModelError, WorkerError) as error:  # it names the copy, which the operator does not know of
            raise type(error)(str(error).replace(str(copied), str(package))) from error
        info = ModelInfo(
            summary.ref.name,
            summary.ref.version,
            summary.ref.digest,
            sum(file.stat().st_size for file in copied.iterdir()),
            summary.title[:200],
            dict(release.requires),
        )
        parse_model_info(to_custom(info), model_target(info.name, info.version))
        published, channel = _offer(repository.served, info, release)
        changes = [_target(info, file) for file in sorted(copied.iterdir())]
        repository.commit([*changes, _stage_channel(repository, channel)])
        return published


def promote(folder: Path, keys: Keys, name: str, version: str, release: Release) -> Published:
    """Offer a version that was published, in another channel or to another share of the devices.

    Raises:
        UsageError: there is no such version, it is revoked, or the channel has a newer one.
        RegistryError: a file of it is not what was signed; and as below.
        UnavailableError, PermissionDeniedError, CannotWriteError: as `exclusive` and `Repository`.
    """
    with exclusive(folder) as staging:
        repository = Repository(folder, staging, keys)
        repository.require_keys(*ONLINE)
        info = _find(repository.served, name, version)
        if revoked := repository.served.revocations().of(name, version):
            raise UsageError(f"{name} {version} is revoked ({revoked.why}); publish a higher version")
        if release.rollout and (damage := repository.served.damage(name, version)):  # at 0 nobody is offered it
            raise RegistryError(f"{name} {version} cannot be offered: {'; '.join(damage)}")
        known = [channel.models.get(name) for channel in repository.served.channels().values()]
        notes = next((offer.notes for offer in known if offer is not None and offer.version == version), "")
        release = dataclasses.replace(release, notes=release.notes or notes, requires=release.requires or info.requires)
        published, channel = _offer(repository.served, info, release)
        repository.commit([_stage_channel(repository, channel)])
        return published


def revoke(folder: Path, keys: Keys, name: str, version: str, why: str) -> Revocation:
    """Tell all devices to use a version no more. The channels keep its number, so that no lower one can follow.

    Raises:
        UsageError: there is no such version, or it is revoked already.
        RegistryError, UnavailableError, PermissionDeniedError, CannotWriteError: as `exclusive` and `Repository`.
    """
    with exclusive(folder) as staging:
        repository = Repository(folder, staging, keys)
        repository.require_keys(*ONLINE)
        info = _find(repository.served, name, version)
        revocations = repository.served.revocations()
        if revoked := revocations.of(name, version):
            raise UsageError(f"{name} {version} is revoked already: {revoked.why}")
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        revocation = Revocation(name, version, info.digest, why, now)
        data = to_json(Revocations(revoked=(*revocations.revoked, revocation)))
        parse_revocations(data)
        repository.commit([repository.stage(REVOKED, data)])
        return revocation


def _find(served: Served, name: str, version: str) -> ModelInfo:
    models = served.models()
    for info in models:
        if (info.name, info.version) == (name, version):
            return info
    there = [info.version for info in models if info.name == name] or sorted({info.name for info in models})
    raise UsageError(f"no {name} {version} in this registry; there is {', '.join(there) or 'nothing yet'}")


def _check_new(served: Served, summary: Summary, channel: str) -> None:
    """Refuse a version that is known, or that the channel has something newer than."""
    name, version = summary.ref.name, summary.ref.version
    for info in served.models():
        if (info.name, info.version) == (name, version):
            same = info.digest == summary.ref.digest
            cure = (
                f"`edged registry promote` offers it in {channel}"
                if same and not served.revocations().of(name, version)
                else "a version is never used twice: raise it in the package"
            )
            raise UsageError(f"{name} {version} is published already; {cure}")
    _check_newer(served.channel(channel), channel, name, version)


def _check_newer(channel: Channel | None, channel_name: str, name: str, version: str) -> None:
    offer = channel.models.get(name) if channel is not None else None
    if offer is not None and version_order(version) <= version_order(offer.version):
        raise UsageError(
            f"{channel_name} has {name} {offer.version}, and {version} is not newer: versions never go down; publish"
            " what the devices are to have under a higher one"
        )


def _offer(served: Served, info: ModelInfo, release: Release) -> tuple[Published, Channel]:
    """The channel as it shall be."""
    channel = served.channel(release.channel) or Channel(1, release.channel)
    current = channel.models.get(info.name)
    if current is not None and current.version == info.version:
        before = current.before
    else:
        _check_newer(channel, release.channel, info.name, info.version)
        before = _before(current, info.name, served.revocations())
    offer = Offer(info.version, release.rollout, release.notes, dict(release.requires), before)
    changed = dataclasses.replace(channel, models={**channel.models, info.name: offer})
    return Published(info, release.channel, offer, current), changed


def _before(current: Offer | None, name: str, revocations: Revocations) -> Before | None:
    """The last version that was for all devices; one that only some were to try is not."""
    if current is None:
        return None
    whole = Before(current.version) if current.rollout == 100 else None  # noqa: PLR2004  percent
    for last in (whole, current.before):
        if last is not None and not revocations.of(name, last.version):
            return last
    return None


def _stage_channel(repository: Repository, channel: Channel) -> NewTarget:
    data = to_json(channel)
    parse_channel(data, channel.channel)  # what devices could not read is not published
    return repository.stage(channel_target(channel.channel), data)


def _copy(package: Path, place: Path, summary: Summary) -> Path:
    """A copy of the files that the manifest names, and of the manifest that was read."""
    place.mkdir()
    for name in (MANIFEST, *summary.files):
        if (package / name).is_symlink():
            raise ModelError(f"{package / name}: a symbolic link; a package holds its files itself")
        write_file(place / name, read(package / name, MAX_MODEL_BYTES))
    digest = f"sha256:{hashlib.sha256((place / MANIFEST).read_bytes()).hexdigest()}"
    if digest != summary.ref.digest:
        raise ModelError(f"{package / MANIFEST}: changed while it was read; publish it again")
    return place


def _target(info: ModelInfo, file: Path) -> NewTarget:
    custom = to_custom(info) if file.name == MANIFEST else None
    return NewTarget(model_target(info.name, info.version, file.name), file, custom)
