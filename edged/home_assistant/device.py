"""What Home Assistant is told of this device, as frozen types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edged.config import redact
from edged.mqtt.messages import Topics

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edged.config import CameraConfig, WebConfig
    from edged.outbox import Known

MOST_PRESENCES: Final = 50
LEAST_EXPIRY_S: Final = 60


@dataclass(frozen=True, slots=True)
class WatchedLabel:
    """A label that becomes on and off, as it is called and as it is in topics."""

    text: str
    slug: str


@dataclass(frozen=True, slots=True)
class CameraEntities:
    """What a camera has to show.

    Attributes:
        expiry_s: seconds without a result after which the last labels stand no more.
        watched: labels that become on and off.
        events: whether it watches anything at all, so that there may be events.
        image: whether it publishes snapshots.
    """

    name: str
    expiry_s: int
    watched: tuple[WatchedLabel, ...] = ()
    events: bool = False
    image: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """The whole device.

    Attributes:
        name: as in topics.
        version: of edged.
        cameras: in the configuration's order.
        models: the names that can be chosen.
        page: address of its page; None where only the device itself can reach one.
    """

    name: str
    version: str
    cameras: tuple[CameraEntities, ...]
    models: tuple[str, ...]
    page: str | None = None

    @property
    def topics(self) -> Topics:
        """Its topics."""
        return Topics(self.name)

    @property
    def identifier(self) -> str:
        """What it is known by: stays the same whatever the configuration says, but for its name."""
        return f"edged-{self.name}"


def cameras_of(configs: Mapping[str, CameraConfig], known: Iterable[Known]) -> tuple[CameraEntities, ...]:
    """The cameras of a configuration, with the labels that are known to be watched, 50 at most of the whole device.

    Args:
        configs: by name.
        known: watched labels: those that are named, and of `"*"` those that have been present.
    """
    labels: dict[str, list[WatchedLabel]] = {name: [] for name in configs}
    wanted = [each for each in known if each.camera in configs]
    # Those that the configuration names come first, so that they are there whatever else has been seen.
    wanted.sort(key=lambda each: not {each.text, each.slug} & set(configs[each.camera].presence))
    for each in wanted[:MOST_PRESENCES]:
        labels[each.camera].append(WatchedLabel(each.text, each.slug))
    return tuple(
        CameraEntities(name, _expiry(config), tuple(labels[name]), bool(config.presence), config.image)
        for name, config in configs.items()
    )


def page_address(web: WebConfig, host: str) -> str | None:
    """The page's address as others reach it; None where they do not."""
    listen = web.listen
    if listen is None or listen.loopback or listen.port == 0:
        return None
    name = host if listen.host in {"0.0.0.0", "::", "*"} else listen.host  # noqa: S104  it is compared
    return redact(f"http://{f'[{name}]' if ':' in name else name}:{listen.port}/")


def _expiry(config: CameraConfig) -> int:
    """Three times as long as there may be nothing to tell: slow cameras, and nothing that moves."""
    motion = config.motion.max_interval if config.motion.threshold > 0 else 0.0
    return max(LEAST_EXPIRY_S, round(3 * max(1 / config.fps, motion, config.stall)))
