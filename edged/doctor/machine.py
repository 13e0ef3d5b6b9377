"""What the checks look at: the machine, who asks, and what is configured."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edged.config import InferenceConfig, ModelConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edged.config import CameraConfig, Config, MqttConfig, RegistryConfig
    from edged.engine.edgetpu import EdgeTpu

ROOT: Final = Path("/")
STATE: Final = Path("/var/lib/edged")


@dataclass(frozen=True, slots=True)
class User:
    """Who runs the doctor: what the system lets it do is what it lets the daemon do when the same user runs that.

    Attributes:
        name: as in /etc/passwd.
        groups: names of the groups that this process is in.
        listed: names of the groups that the user is in from the next login on.
    """

    name: str
    groups: frozenset[str]
    listed: frozenset[str]

    @classmethod
    def current(cls) -> User:
        """The one of this process."""
        try:
            entry = pwd.getpwuid(os.geteuid())
        except KeyError:
            return cls(str(os.geteuid()), frozenset(), frozenset())
        own = {os.getegid(), *os.getgroups()}
        listed = os.getgrouplist(entry.pw_name, entry.pw_gid)
        return cls(entry.pw_name, frozenset(map(group_name, own)), frozenset(map(group_name, listed)))


def group_name(number: int) -> str:
    """A group's name; its number where it has none."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def may_open(path: Path) -> bool:
    """Whether this process may read and write a file or device."""
    return os.access(path, os.R_OK | os.W_OK, effective_ids=True)


@dataclass(frozen=True, slots=True)
class Machine:
    """All that a check may ask.

    Attributes:
        root: where /sys, /dev and /proc begin.
        user: who asks.
        may_open: whether that user may read and write a path.
        registry: where models come from; None: from no registry.
        mqtt: the broker; None where no configuration names one.
        state: the folder of what must outlive a restart.
    """

    root: Path = ROOT
    user: User = field(default_factory=User.current)
    may_open: Callable[[Path], bool] = may_open
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    cameras: Mapping[str, CameraConfig] = field(default_factory=dict)
    registry: RegistryConfig | None = None
    mqtt: MqttConfig | None = None
    state: Path = STATE

    @classmethod
    def configured(cls, config: Config) -> Machine:
        """This machine with a configuration."""
        return cls(
            inference=config.inference,
            model=config.model,
            cameras=config.cameras,
            registry=config.registry,
            mqtt=config.mqtt,
            state=config.state,
        )

    def edge_tpu_matters(self, attached: tuple[EdgeTpu, ...]) -> bool:
        """Whether inference is to run on the Edge TPU, given those that are attached."""
        return self.inference.device == "edgetpu" or (self.inference.device == "auto" and bool(attached))
