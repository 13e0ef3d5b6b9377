"""The configuration: `load_config` gives the YAML file as frozen types, or every error in it with its line."""

from edged.config.addresses import Server
from edged.config.cameras import CameraConfig, LabelsConfig, MotionConfig, PresenceConfig
from edged.config.load import find_config, load_config, parse_config
from edged.config.mqtt import MqttConfig, TlsConfig
from edged.config.schema import (
    Config,
    EdgeTpuConfig,
    HeatConfig,
    HomeAssistantConfig,
    InferenceConfig,
    ModelConfig,
    ProbationConfig,
    RegistryConfig,
    WebConfig,
)
from edged.config.types import SourceKind, Window, redact, slug, source_kind
from edged.errors import Finding

__all__ = [
    "CameraConfig",
    "Config",
    "EdgeTpuConfig",
    "Finding",
    "HeatConfig",
    "HomeAssistantConfig",
    "InferenceConfig",
    "LabelsConfig",
    "ModelConfig",
    "MotionConfig",
    "MqttConfig",
    "PresenceConfig",
    "ProbationConfig",
    "RegistryConfig",
    "Server",
    "SourceKind",
    "TlsConfig",
    "WebConfig",
    "Window",
    "find_config",
    "load_config",
    "parse_config",
    "redact",
    "slug",
    "source_kind",
]
