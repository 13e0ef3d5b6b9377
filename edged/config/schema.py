"""The configuration: frozen types, with the defaults and limits of every key. `docs/configuration.md` explains them."""

# no `from __future__ import annotations` here: pydantic reads the annotations when the classes are made
import socket
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from edged.config.addresses import ListenAddress, RegistryUrl, Server
from edged.config.cameras import CameraConfig
from edged.config.mqtt import MqttConfig
from edged.config.section import Section
from edged.config.token import read_token
from edged.config.types import (
    CameraName,
    DeviceName,
    FilePath,
    HourWindow,
    ModelName,
    PositiveDuration,
    ReadableFile,
    Text,
    TopicPrefix,
    slug,
)
from edged.config.wording import allowed, problem

MACHINE_ID = Path("/etc/machine-id")

Switch = Annotated[bool, allowed("true or false")]
Locale = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9]{1,8}([-_][A-Za-z0-9]{1,8}){0,3}$"),
    allowed("a language, such as en, de or pt-BR"),
]
HostNames = Annotated[
    tuple[Annotated[str, Field(pattern=r"\A[A-Za-z0-9._-]{1,253}\z")], ...],
    BeforeValidator(lambda value: () if value is None else value),
    allowed("a list of host names without scheme and port, such as [porch.example]"),
]
Names = Annotated[tuple[ModelName, ...], Field(min_length=1), allowed("a list of model names, or null")]


def default_device() -> str:
    """A name that stays: from the machine id (hashed, as it is confidential), else the host name."""
    try:
        machine = MACHINE_ID.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        machine = ""
    if machine and machine != "uninitialized":
        return f"edged-{sha256(machine.encode()).hexdigest()[:8]}"
    return slug(socket.gethostname())[:64] or "edged"


class ModelConfig(Section):
    """Which model labels: one by name, or a file or folder by path."""

    name: ModelName = "base"
    channel: Annotated[ModelName, allowed("a name of letters, digits, '.', '-' or '_'")] = "stable"
    """Which of the registry's channels updates come from."""
    members: Names | None = None
    """Which of the package's models run; null: all of them."""
    locale: Locale = "en"
    """The language of labels that a model has in several."""
    path: FilePath | None = None
    """A .tflite file or a package's folder, in place of `name`."""

    @field_validator("path")
    @classmethod
    def _name_or_path(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is not None and info.data.get("name", "base") != "base":
            raise problem("stands beside name:", "one of the two, not both")
        return path


class EdgeTpuConfig(Section):
    """The Edge TPU, where there is one."""

    library: Text = "libedgetpu.so.1"
    device: Annotated[str, allowed("text, such as usb:0 or pci:0")] = ""
    """Empty: the first one found."""


class InferenceConfig(Section):
    """The process that runs the model."""

    device: Annotated[Literal["auto", "edgetpu", "cpu"], allowed("auto, edgetpu or cpu")] = "auto"
    threads: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=1, le=1024)], allowed("auto, or a whole number from 1")
    ] = "auto"
    deadline: PositiveDuration = 5.0
    """A frame that takes longer costs the worker its life."""
    load_deadline: PositiveDuration = 30.0
    python: FilePath | None = None
    """Another interpreter to run inference in."""
    runtime: Annotated[
        Literal["auto", "ai-edge-litert", "tflite-runtime", "pycoral"],
        allowed("auto, ai-edge-litert, tflite-runtime or pycoral"),
    ] = "auto"
    """Which TFLite runtime; auto: the first of these that the interpreter has."""
    memory: Annotated[int, Field(ge=64, le=1_000_000), allowed("a whole number of megabytes from 64")] = 1024
    """Megabytes that the worker may take for itself; a model that wants more costs the worker its life, no more."""
    edgetpu: EdgeTpuConfig = Field(default_factory=EdgeTpuConfig)


class ProbationConfig(Section):
    """How long a new model must do well before it counts as good."""

    results: Annotated[int, Field(ge=0, le=1_000_000_000), allowed("a whole number from 0")] = 100
    duration: Annotated[PositiveDuration, Field(alias="for")] = 600.0


class RegistryConfig(Section):
    """Where models and their updates come from."""

    url: RegistryUrl
    root: FilePath = Path("/etc/edged/root.json")
    """The keys that are trusted first of all."""
    interval: PositiveDuration = 3600.0
    automatic: Switch = True
    """false: updates are announced, and wait to be told."""
    window: HourWindow | None = None
    """Updates are installed only in this part of the day (local time); null: always."""
    metered: Switch = False
    """Whether to download over a metered connection."""
    probation: ProbationConfig = Field(default_factory=ProbationConfig)
    slowdown: Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False), allowed("a number from 1, such as 3")] = 3.0
    """A model that takes more than so many times as long as the one before it is not taken."""
    disk: Annotated[int, Field(ge=1, le=1_000_000), allowed("a whole number of megabytes from 1")] = 1024
    """Megabytes that models from the registry may take together; the oldest make room."""


class WebConfig(Section):
    """The page and the HTTP interface."""

    listen: ListenAddress | None = Server("127.0.0.1", 8765)
    """null: no page; port 0: any free one."""
    token_file: Annotated[ReadableFile | None, Field(validate_default=True)] = None
    """Needed as soon as others than this machine can reach the page."""
    hosts: HostNames = ()
    """Further names by which the page is asked for, such as a reverse proxy's."""

    @property
    def token(self) -> str | None:
        """What visitors must know. A ValueError where the file has become unreadable meanwhile."""
        return None if self.token_file is None else read_token(self.token_file)

    @field_validator("token_file")
    @classmethod
    def _beyond_loopback_needs_a_token(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        listen: Server | None = info.data.get("listen")
        if listen is not None and file is None and not listen.loopback:
            must = "with web.token_file, or at an address of this machine alone, such as 127.0.0.1:8765"
            raise problem("others could reach the page, and no token_file is given", must, at=("listen",))
        if file is not None:
            read_token(file)
        return file


class HomeAssistantConfig(Section):
    """Home Assistant's discovery over MQTT."""

    discovery: Switch = True
    prefix: TopicPrefix = "homeassistant"


def _some_camera(cameras: dict[str, CameraConfig]) -> dict[str, CameraConfig]:
    if not cameras:
        raise problem("no camera", "at least one, such as porch: {source: picamera}")
    return cameras


class HeatConfig(Section):
    """Fewer frames before the board gets so hot that it slows itself down."""

    slow_from: Annotated[
        float | None, Field(ge=20, le=120, allow_inf_nan=False), allowed("degrees Celsius from 20 to 120, or null")
    ] = 75.0
    """From this temperature on, fewer frames are labelled. null: never."""
    least: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False), allowed("a share above 0 and up to 1")] = 0.2
    """At least this share of each camera's `fps` is labelled, however hot it is."""


class Config(Section):
    """All of edged.yaml."""

    device: DeviceName = Field(default_factory=default_device)
    """This device's name in topics."""
    mqtt: MqttConfig = Field(default_factory=MqttConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    inference: InferenceConfig = Field(default_factory=InferenceConfig)
    cameras: Annotated[
        dict[CameraName, CameraConfig],
        BeforeValidator(lambda value: {} if value is None else value),
        AfterValidator(_some_camera),
        Field(validate_default=True),
    ] = Field(default_factory=dict)
    registry: RegistryConfig | None = None
    web: WebConfig = Field(default_factory=WebConfig)
    home_assistant: HomeAssistantConfig = Field(default_factory=HomeAssistantConfig)
    heat: HeatConfig = Field(default_factory=HeatConfig)
    state: FilePath = Path("/var/lib/edged")
    """The folder of what must outlive a restart."""
