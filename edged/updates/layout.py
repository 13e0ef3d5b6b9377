"""What lies where in a registry, and what its own files say: shared by who publishes and by who updates.

A registry is a folder of static files in the form of The Update Framework with consistent snapshots. Everything here
has been signed when a device reads it, and is still parsed as strictly as if it had not been. Keys that are not known
are left out, so that a newer publisher and an older device go together; what changes its meaning raises `schema`.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Annotated, Final, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from edged.errors import RegistryError

ROOT_FILE: Final = "root.json"
"""The root that devices pin; below the registry's address, as the two folders are."""
METADATA: Final = "metadata"
TARGETS: Final = "targets"

REVOKED: Final = "revoked.json"
"""The target path of the list of revoked models."""
MANIFEST: Final = "model.yaml"
STABLE: Final = "stable"
CUSTOM: Final = "edged"
"""The key of what the target of a `model.yaml` carries as its `custom` (`ModelInfo`)."""

MAX_CHANNEL_BYTES: Final = 256 * 1024
MAX_REVOKED_BYTES: Final = 1024 * 1024

_NAME: Final = r"[a-z0-9][a-z0-9._-]{0,63}"
_VERSION: Final = r"[0-9]+\.[0-9]+\.[0-9]+(?:[.+-][A-Za-z0-9.+-]+)?"
_FILE: Final = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_MODEL_TARGET: Final = re.compile(rf"models/({_NAME})/({_VERSION})/({_FILE})")

Name = Annotated[str, Field(pattern=rf"\A{_NAME}\z")]
"""Of a model or a channel: no way out of a folder."""
Version = Annotated[str, Field(pattern=rf"\A{_VERSION}\z", max_length=64)]
Digest = Annotated[str, Field(pattern=r"\Asha256:[0-9a-f]{64}\z")]
Share = Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False)]
Requirements = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=200)]], Field(max_length=16)
]
Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is signed with a model's `model.yaml`, to know before anything is downloaded.

    Attributes:
        digest: the sha256 of `model.yaml`, and so the package's.
        size: of all files of the package together, in bytes.
        requires: what a device must have, by `edged.updates.requires`.
    """

    __pydantic_config__ = ConfigDict(extra="ignore")

    name: Name
    version: Version
    digest: Digest
    size: Annotated[int, Field(ge=0)]
    title: Annotated[str, Field(max_length=200)] = ""
    requires: Requirements = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Before:
    """The version that a rollout replaces."""

    __pydantic_config__ = ConfigDict(extra="ignore")

    version: Version


@dataclass(frozen=True, slots=True)
class Offer:
    """What a channel has of one model.

    Attributes:
        rollout: the share of devices, in percent, that are to take `version`.
        notes: what is new, for people.
        before: for the devices outside the share: the last version that was for all; None where there is none.
    """

    __pydantic_config__ = ConfigDict(extra="ignore")

    version: Version
    rollout: Share = 100.0
    notes: Annotated[str, Field(max_length=4000)] = ""
    requires: Requirements = field(default_factory=dict)
    before: Before | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel's file: what it has of each model, by name."""

    __pydantic_config__ = ConfigDict(extra="ignore")

    schema: Literal[1]
    channel: Name
    models: Annotated[dict[Name, Offer], Field(max_length=1000)] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Revocation:
    """A model that is to be used no more, and why. `time` is UTC (RFC 3339)."""

    __pydantic_config__ = ConfigDict(extra="ignore")

    name: Name
    version: Version
    digest: Digest
    why: Annotated[str, Field(max_length=1000)]
    time: Annotated[str, Field(max_length=64)]


@dataclass(frozen=True, slots=True)
class Revocations:
    """The list of revoked models."""

    __pydantic_config__ = ConfigDict(extra="ignore")

    schema: Literal[1] = 1
    revoked: Annotated[tuple[Revocation, ...], Field(max_length=4000)] = ()

    def of(self, name: str, version: str) -> Revocation | None:
        """The revocation of this version, where it is revoked."""
        return next((entry for entry in self.revoked if (entry.name, entry.version) == (name, version)), None)

    def of_digest(self, digest: str) -> Revocation | None:
        """The revocation of the package with this digest, under whatever name it came."""
        return next((entry for entry in self.revoked if entry.digest == digest), None)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A target path of a model, taken apart."""

    name: str
    version: str
    file: str


_CHANNEL: Final = TypeAdapter(Channel)
_REVOCATIONS: Final = TypeAdapter(Revocations)
_INFO: Final = TypeAdapter(ModelInfo)


def model_target(name: str, version: str, file: str = MANIFEST) -> str:
    """The target path of a package's file. A `+` of a version is to be `%2B` in a URL: some buckets read a blank."""
    return f"models/{name}/{version}/{file}"


def parse_model_target(path: str) -> ModelFile | None:
    """A target path taken apart; None for what is no model's."""
    match = _MODEL_TARGET.fullmatch(path)
    return None if match is None else ModelFile(*match.groups())


def channel_target(channel: str) -> str:
    """The target path of a channel's file."""
    return f"channels/{channel}.json"


def parse_channel(data: bytes, channel: str) -> Channel:
    """A channel's file.

    Raises:
        RegistryError: it is no such file, or another channel's.
    """
    parsed = _parse(_CHANNEL, data, MAX_CHANNEL_BYTES, channel_target(channel))
    if parsed.channel != channel:
        raise RegistryError(f"{channel_target(channel)}: is the file of channel {parsed.channel!r}")
    return parsed


def parse_revocations(data: bytes) -> Revocations:
    """The list of revoked models. Raises RegistryError."""
    return _parse(_REVOCATIONS, data, MAX_REVOKED_BYTES, REVOKED)


def parse_model_info(custom: object, target: str) -> ModelInfo:
    """What is signed with a `model.yaml`, from its target's `custom`; `target` is the target path.

    Raises:
        RegistryError: it is not there, not right, or of another model than the path says.
    """
    try:
        info = _INFO.validate_python(custom.get(CUSTOM) if isinstance(custom, dict) else None)
    except ValidationError as error:
        raise RegistryError(f"{target}: custom.{CUSTOM}: {_first_words(error)}") from error
    if model_target(info.name, info.version) != target:
        raise RegistryError(f"{target}: is signed as {info.name} {info.version}")
    return info


def to_json(content: Channel | Revocations) -> bytes:
    """The file's bytes: the same for the same content."""
    return json.dumps(asdict(content), indent=1, sort_keys=True).encode() + b"\n"


def to_custom(info: ModelInfo) -> dict[str, object]:
    """What the target of a `model.yaml` carries."""
    return {CUSTOM: asdict(info)}


def in_rollout(device: str, name: str, version: str, share: float) -> bool:
    """Whether a device is among the `share` percent that are to take this version.

    The same after every restart; another draw for each version, so that it is not always the same devices that go
    first; and a larger share only adds devices.
    """
    draw = int.from_bytes(sha256(f"{device}:{name}:{version}".encode()).digest())
    return draw < share / 100 * 2.0**256  # an int and a float are compared exactly


def offered(offer: Offer, name: str, device: str, revocations: Revocations) -> str | None:
    """The version that a channel has for a device; None where it has none that is not revoked.

    It may be lower than the one that the device has: then the device stays on its own.
    """
    if in_rollout(device, name, offer.version, offer.rollout) and not revocations.of(name, offer.version):
        return offer.version
    if offer.before is not None and not revocations.of(name, offer.before.version):
        return offer.before.version
    return None


def _parse(adapter: TypeAdapter[Parsed], data: bytes, most: int, what: str) -> Parsed:
    if len(data) > most:
        raise RegistryError(f"{what}: larger than {most // 1024} KB")
    try:
        return adapter.validate_json(data)
    except ValidationError as error:
        raise RegistryError(f"{what}: {_first_words(error)}") from error


def _first_words(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, entry['loc'])) or 'file'}: {entry['msg']}" for entry in error.errors()[:5])
