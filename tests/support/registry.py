"""A registry as a device of The Update Framework's own making sees it, read from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from edged.updates.initial import Initial, Quorum, create_registry
from edged.updates.layout import (
    MANIFEST,
    REVOKED,
    channel_target,
    model_target,
    parse_channel,
    parse_model_info,
    parse_revocations,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.updates.keys import Keys
    from edged.updates.layout import Channel, ModelInfo, Revocations


class FolderFetcher(FetcherInterface):
    """`file://` addresses."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = Path(unquote(urlsplit(url).path))
        if not path.is_file():
            raise DownloadHTTPError(f"{url}: not found", 404)
        yield path.read_bytes()


class Device:
    """What trusts a registry's root of a certain time, and remembers what it has seen since."""

    def __init__(self, state: Path, registry: Path, root: bytes | None = None) -> None:
        self._state = state
        self._registry = registry
        self._root = root or (registry / "root.json").read_bytes()
        self.look()

    def look(self) -> None:
        """Poll; raises what an update client raises when anything is not right."""
        address = self._registry.resolve().as_uri()
        for folder in ("metadata", "targets"):
            (self._state / folder).mkdir(parents=True, exist_ok=True)
        self._updater = Updater(
            str(self._state / "metadata"),
            f"{address}/metadata",
            str(self._state / "targets"),
            f"{address}/targets",
            FolderFetcher(),
            UpdaterConfig(),
            bootstrap=self._root,
        )
        self._updater.refresh()

    def channel(self, name: str = "stable") -> Channel:
        return parse_channel(self._target(channel_target(name)), name)

    def version(self, model: str, channel: str = "stable") -> str | None:
        """The version that a channel has of a model."""
        offer = self.channel(channel).models.get(model)
        return None if offer is None else offer.version

    def revocations(self) -> Revocations:
        return parse_revocations(self._target(REVOKED))

    def download(self, name: str, version: str, files: tuple[str, ...] = (MANIFEST,)) -> dict[str, bytes]:
        return {file: self._target(model_target(name, version, file)) for file in files}

    def info(self, name: str, version: str) -> ModelInfo:
        path = model_target(name, version)
        target = self._updater.get_targetinfo(path)
        assert target is not None
        return parse_model_info(target.custom, path)

    def _target(self, path: str) -> bytes:
        target = self._updater.get_targetinfo(path)
        assert target is not None, f"{path} is not in the registry"
        return Path(self._updater.download_target(target)).read_bytes()


def new_registry(folder: Path, quorum: Quorum | None = None, lifetimes: dict[str, int] | None = None) -> Keys:
    """A registry in `folder/models`, its keys in `folder/keys`."""
    return create_registry(folder / "models", Initial(folder / "keys", quorum or Quorum(), lifetimes or {}))
