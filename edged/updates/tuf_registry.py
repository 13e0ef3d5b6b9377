"""A registry in the form of The Update Framework: the signed state, what a channel in it has for a device, the package.

A poll asks for `timestamp.json` alone, by what the server called it the last time. Only when that has changed, or
something expires, or the device asks for something else, and once a day (a new root changes nothing else), is the rest
looked at.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from edged.errors import ModelError, RegistryUntrustedError
from edged.labeling.label import ModelRef
from edged.models.manifest import MAX_MANIFEST_BYTES, parse_summary
from edged.updates.clock import Clock
from edged.updates.fetcher import Fetcher, Got, Patience
from edged.updates.layout import (
    MANIFEST,
    MAX_CHANNEL_BYTES,
    MAX_REVOKED_BYTES,
    METADATA,
    REVOKED,
    ModelInfo,
    Revocations,
    channel_target,
    model_target,
    parse_channel,
    parse_model_info,
    parse_revocations,
)
from edged.updates.offer import choose, versions_of
from edged.updates.package_fetch import PackageFetch
from edged.updates.registry import PackageFile, Poll, Update
from edged.updates.trusted import CAPS, refresh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from edged.updates.layout import Channel
    from edged.updates.registry import Asking, Cancelled, Told
    from edged.updates.trusted import Target, Trusted

MAX_PACKAGE_BYTES: Final = 512 * 1024 * 1024
_LOOK: Final = timedelta(days=1)
_TIMESTAMP: Final = f"{METADATA}/timestamp.json"


@dataclass(frozen=True, slots=True)
class Place:
    """Which registry, and what is trusted in it first of all.

    Attributes:
        url: https://, http:// or file:///.
        root: the file with the pinned root.
    """

    url: str
    root: Path
    channel: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was asked, what the registry's state was, what came of it, and until when that is good."""

    asking: Asking
    timestamp: Got
    until: datetime
    poll: Poll


class TufRegistry:
    """As `Registry` says.

    Args:
        place: which registry.
        state: the folder for its metadata and the last known time (`<state>/registry`); it need not exist.
        installed: the folders of the packages that are here: files that are in one are not fetched.
        patience: how long to wait.

    Raises:
        UsageError: an address that is not taken.
    """

    def __init__(
        self,
        place: Place,
        state: Path,
        installed: Callable[[], Iterable[Path]] = tuple,
        patience: Patience | None = None,
    ) -> None:
        self._place = place
        self._metadata = state / "metadata"
        self._clock = Clock(state)
        self._installed = installed
        self._patience = patience or Patience()
        self._packages = Fetcher(place.url, self._patience)
        self._seen: _Seen | None = None

    def poll(self, asking: Asking) -> Poll:
        """As `Registry.poll` says. While the clock is not set, nothing is asked."""
        reading = self._clock.read()
        if reading.why_not is not None:
            return Poll(None, reading.why_not, asked=False)
        fetcher = Fetcher(self._place.url, self._patience, time.monotonic() + self._patience.poll)
        seen = self._seen
        timestamp = fetcher.get(_TIMESTAMP, CAPS.timestamp_max_length, None if seen is None else seen.timestamp)
        same = seen is not None and seen.timestamp.data == timestamp.data
        if seen is not None and same and asking == seen.asking and reading.now < seen.until:
            poll = replace(seen.poll, changed=False)
        else:
            trusted = refresh(self._metadata, self._place.root, fetcher)
            poll = replace(_Look(trusted, fetcher).poll(self._place.channel, asking), changed=not same)
            self._seen = _Seen(asking, timestamp, min(trusted.expires, reading.now + _LOOK), poll)
        self._clock.trust(reading.now)
        return poll

    def fetch(self, update: Update, into: Path, told: Told, cancelled: Cancelled) -> Path:
        """As `Registry.fetch` says."""
        return PackageFetch(self._packages, update, self._installed(), told, cancelled).into(into)


class _Look:
    """At a state of the registry that is trusted."""

    def __init__(self, trusted: Trusted, fetcher: Fetcher) -> None:
        self._trusted = trusted
        self._fetcher = fetcher

    def poll(self, channel: str, asking: Asking) -> Poll:
        """What is there for a device."""
        revoked = self._trusted.find(REVOKED)
        revocations = parse_revocations(self._read(revoked, MAX_REVOKED_BYTES)) if revoked else Revocations()
        found = self._trusted.find(channel_target(channel))
        if found is None:
            return Poll(None, f"the registry has no channel {channel}", revocations=revocations)
        content = parse_channel(self._read(found, MAX_CHANNEL_BYTES), channel)
        choice = choose(content, revocations, self._infos(content, asking.model), asking)
        update = self._update(choice.info, choice.notes) if choice.info else None
        return Poll(update, choice.reason, newest=choice.newest, revocations=revocations)

    def _infos(self, channel: Channel, model: str) -> dict[str, ModelInfo]:
        """What is signed of the versions that a channel has of a model, as far as the registry has them."""
        offer = channel.models.get(model)
        infos = {}
        for version in versions_of(offer) if offer else ():
            path = model_target(model, version)
            if (target := self._trusted.find(path)) is not None:
                infos[version] = info = parse_model_info(target.custom, path)
                if info.digest != f"sha256:{target.sha256}":
                    raise ModelError(f"{path}: is signed with the digest of another model.yaml")
        return infos

    def _update(self, info: ModelInfo, notes: str) -> Update:
        """The package in full, once what is signed of it, its manifest, and what is signed of its files agree."""
        path = model_target(info.name, info.version)
        manifest = self._trusted.find(path)
        if manifest is None:
            raise ModelError(f"{path}: not in the registry")
        summary = parse_summary(self._read(manifest, MAX_MANIFEST_BYTES), path)
        if summary.ref != ModelRef(info.name, info.version, info.digest):
            raise ModelError(f"{path}: says that it is {summary.ref.name} {summary.ref.version}, signed as another")
        files = [PackageFile(MANIFEST, manifest.sha256, manifest.size, manifest.address)]
        for name, stated in summary.stated.items():
            file = self._trusted.find(model_target(info.name, info.version, name))
            if file is None or (file.sha256, file.size) != (stated.sha256, stated.size):
                raise ModelError(
                    f"{path}: names {name}, which the registry {'lacks' if file is None else 'has otherwise'}"
                )
            files.append(PackageFile(name, file.sha256, file.size, file.address))
        size = sum(file.size for file in files)
        if size != info.size:
            raise ModelError(f"{path}: its files are {size} bytes together, signed as {info.size}")
        if size > MAX_PACKAGE_BYTES:
            raise ModelError(f"{path}: {size} bytes; {MAX_PACKAGE_BYTES // 2**20} MB are taken")
        return Update(summary.ref, size, info.title or summary.title, notes, tuple(files))

    def _read(self, target: Target, most: int) -> bytes:
        """A small file's bytes, verified."""
        if target.size > most:
            raise RegistryUntrustedError(f"{target.path}: {target.size} bytes; {most} are taken")
        data = self._fetcher.get(target.address, target.size).data
        if len(data) != target.size or hashlib.sha256(data).hexdigest() != target.sha256:
            raise RegistryUntrustedError(
                f"{self._fetcher.base}{target.address}: damaged, or another file under its name: not what is signed"
            )
        return data
