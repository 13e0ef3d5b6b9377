"""A device of a registry, as the updater drives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edged.updates.fetcher import Patience
from edged.updates.registry import Asking, Poll, Registry
from edged.updates.tuf_registry import Place, TufRegistry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.signed_registry import Package

QUICK: Final = Patience(answer=1.0, stall=0.5, least=1.5, rate=1e6, poll=5.0)


class Device:
    """A device as the updater would drive it.

    Attributes:
        incoming: where packages arrive.
        installed: folders of packages that are here.
    """

    def __init__(self, url: str, root: Path, folder: Path, patience: Patience = QUICK) -> None:
        self.state = folder / "state"
        self.incoming = folder / "incoming"
        self.installed: list[Path] = []
        self.asking = Asking("porch-pi", "birds")
        self.told: list[tuple[int, int]] = []
        self.cancelled: Callable[[], bool] = lambda: False
        self.url, self.root = url, root
        self._place = Place(url, root, "stable")
        self._patience = patience
        self.start()

    def start(self) -> None:
        """Anew, as after a restart."""
        self.registry: Registry = TufRegistry(self._place, self.state, lambda: self.installed, self._patience)

    def poll(self) -> Poll:
        return self.registry.poll(self.asking)

    def take(self) -> Path:
        """Poll and fetch what is offered."""
        poll = self.poll()
        assert poll.update is not None, poll.reason
        return self.registry.fetch(
            poll.update, self.incoming, lambda have, of: self.told.append((have, of)), self.cancelled
        )

    def has(self, package: Package) -> bool:
        """Whether the package is here as a whole, and nothing beside it."""
        files = {**package.files, "model.yaml": package.manifest}
        folder = self.incoming / package.digest.removeprefix("sha256:")
        return [*self.incoming.iterdir()] == [folder] and {
            path.name: path.read_bytes() for path in folder.iterdir()
        } == files

    @property
    def finished(self) -> set[str]:
        """The names of files that have been given their name."""
        return {path.name for path in self.incoming.rglob("*") if path.is_file() and not path.name.startswith(".")}
