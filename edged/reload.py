"""A new configuration for a daemon that runs: camera by camera, no frame lost of those that stay as they were."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edged.config import Config
from edged.errors import ConfigError, UnavailableError
from edged.threads import in_thread
from edged.watched import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edged.classifier import Classifier
    from edged.config import CameraConfig
    from edged.live_cameras import LiveCameras
    from edged.pipeline import Pipeline
    from edged.systemd import Supervisor
    from edged.web.page import Page

log = logging.getLogger(__name__)

READ_SECONDS: Final = 10.0  # it may lie on a disk that hangs


@dataclass(frozen=True, slots=True)
class Reloader:
    """Reads the configuration again and has the parts take it on.

    `running` is the one that the daemon was started with: what cannot change alive is compared with it.
    """

    read: Callable[[], Config]
    running: Config
    cameras: LiveCameras
    pipeline: Pipeline
    supervisor: Supervisor
    page: Page | None = None

    async def run(self, asked: asyncio.Event) -> None:
        """Every time that `asked` is set."""
        while True:
            await asked.wait()
            asked.clear()
            self.supervisor.reloading()
            try:
                async with asyncio.timeout(READ_SECONDS):
                    fresh, token = await in_thread(self._read, "reload")
                self._take_on(fresh, token)
            except ConfigError as error:
                for finding in str(error).splitlines():
                    log.error("reload: %s", finding)  # noqa: TRY400  a finding for people, no trace
                log.error("reload: refused, the configuration that was stays")  # noqa: TRY400  as above
            except TimeoutError:
                log.error("reload: not done: the file cannot be read within %g s", READ_SECONDS)  # noqa: TRY400  as above
            except (UnavailableError, RuntimeError) as error:  # no thread is to be had now
                log.error("reload: not done, ask for it again: %s", error)  # noqa: TRY400  as above
            self.supervisor.reloaded()

    def _read(self) -> tuple[Config, str | None]:
        fresh = self.read()
        try:
            return fresh, fresh.web.token
        except ValueError as error:
            raise ConfigError(f"web.token_file: {error}") from error

    def _take_on(self, fresh: Config, token: str | None) -> None:
        done = self.cameras.take_on(fresh.cameras)
        if self.page is not None and fresh.web == self.running.web and self.page.renew(token):
            done.append("the page has another token, and all sessions are over")
        if self.pipeline.classifier is not None:
            warn_of_unknown_labels(self.pipeline.classifier, fresh.cameras)
        log.info("reload: %s", "; ".join(done) or "no camera has changed")
        parts = [part for part in Config.model_fields if part != "cameras"]
        waiting = [part for part in parts if getattr(fresh, part) != getattr(self.running, part)]
        if waiting:
            log.warning("reload: the changes of %s wait for a restart", ", ".join(waiting))


def warn_of_unknown_labels(classifier: Classifier, cameras: Mapping[str, CameraConfig]) -> None:
    """Say which of the allowed, denied and watched labels the model does not have."""
    for name, camera in cameras.items():
        named = {*camera.labels.allow, *camera.labels.deny, *camera.presence} - {EVERYTHING}
        unknown = classifier.unknown_names(frozenset(named))
        if unknown:
            log.warning("camera %s: the model has no label %s", name, ", ".join(unknown))
