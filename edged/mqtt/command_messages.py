"""Commands about cameras and inference, as they come in; what applies to a camera, as it goes out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal, get_args

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from edged.config.cameras import Fps, Threshold
from edged.errors import UsageError
from edged.mqtt.messages import SCHEMA
from edged.mqtt.model_messages import MAX_COMMAND_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

Setting = Literal["threshold", "fps", "enabled"]
SETTINGS: Final[tuple[Setting, ...]] = get_args(Setting)
Value = float | bool | None

_NUMBERS: Final[Mapping[str, tuple[TypeAdapter[float], str]]] = {
    "threshold": (TypeAdapter(Threshold, config=ConfigDict(strict=True)), "a number between 0 and 1"),
    "fps": (TypeAdapter(Fps, config=ConfigDict(strict=True)), "a number above 0 and up to 240"),
}
_SWITCH: Final = {"ON": True, "OFF": False, "TRUE": True, "FALSE": False}
_ID: Final = TypeAdapter(Annotated[str, Field(max_length=128)], config=ConfigDict(strict=True))


@dataclass(frozen=True, slots=True)
class SettingCommand:
    """A camera's setting is to be this. `value`: None is what the configuration says."""

    camera: str
    setting: Setting
    value: Value


@dataclass(frozen=True, slots=True)
class InferenceCommand:
    """The worker is to be started anew."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    action: Literal["restart"]
    id: Annotated[str, Field(max_length=128)] | None = None


_INFERENCE: Final = TypeAdapter(InferenceCommand)


@dataclass(frozen=True, slots=True)
class Applied:
    """A camera's settings: what applies, or what the file says. `threshold`: None is the model's own."""

    threshold: float | None
    fps: float
    enabled: bool = True

    def get(self, setting: Setting) -> Value:
        """One of them."""
        value: Value = getattr(self, setting)
        return value


def settings_payload(now: Applied, file: Applied, model_threshold: float | None) -> bytes:
    """`…/<camera>/settings` as JSON.

    Args:
        now: what applies.
        file: what the configuration says.
        model_threshold: what applies where `now` has none; None while no model is loaded.
    """
    threshold = model_threshold if now.threshold is None else now.threshold
    return _json(
        {
            "schema": SCHEMA,
            "threshold": threshold,
            "fps": now.fps,
            "enabled": now.enabled,
            "file": {setting: file.get(setting) for setting in SETTINGS},
            "differs": [setting for setting in SETTINGS if now.get(setting) != file.get(setting)],
        }
    )


def parse_setting(camera: str, setting: str, payload: bytes) -> SettingCommand:
    """A payload of `…/<camera>/set/<setting>`: a bare value, or `{"value": …, "id": …}`.

    Raises:
        UsageError: it is none; the text says what is allowed.
    """
    known = next((name for name in SETTINGS if name == setting), None)
    if known is None:
        raise UsageError(f"no setting {setting[:64]!r}; known: {', '.join(SETTINGS)}")
    text = _text(payload)
    value: object = text
    if text.startswith(("{", "[", '"')):
        value = _field_of(text)
    if isinstance(value, str) and known != "enabled":
        value = _plain(value)
    if value is None or value == "null":
        return SettingCommand(camera, known, None)
    return SettingCommand(camera, known, _switch(value) if known == "enabled" else _number(known, value))


def parse_inference_command(payload: bytes) -> InferenceCommand:
    """A payload of `…/inference/set`.

    Raises:
        UsageError: it is no such command.
    """
    try:
        return _INFERENCE.validate_json(_text(payload))
    except ValidationError as error:
        raise UsageError('no command; known: {"action": "restart"}, with or without an "id"') from error


def is_allowed(setting: Setting, value: float | bool) -> bool:  # noqa: FBT001  it is a value, not a flag
    """Whether a setting may be this: for one that was kept in a file."""
    try:
        return isinstance(value, bool) if setting == "enabled" else _number(setting, value) == value
    except UsageError:
        return False


def id_of(payload: bytes) -> str | None:
    """The id that a command carries, also where it is wrong, so that whoever sent it hears of it."""
    if len(payload) > MAX_COMMAND_BYTES or b"{" not in payload[:8]:
        return None
    try:
        parsed = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    found = parsed.get("id") if isinstance(parsed, dict) else None
    return found[:128] if isinstance(found, str) else None


def _text(payload: bytes) -> str:
    if len(payload) > MAX_COMMAND_BYTES:
        raise UsageError(f"a command of {len(payload)} bytes; {MAX_COMMAND_BYTES} are taken")
    try:
        return payload.decode().strip()
    except UnicodeDecodeError:
        raise UsageError("a command that is not UTF-8 text") from None


def _field_of(text: str) -> object:
    parsed = _plain(text)
    if not isinstance(parsed, dict) or "value" not in parsed or not parsed.keys() <= {"value", "id"}:
        raise UsageError('no command; give the bare value, or {"value": …, "id": …}')
    if parsed.get("id") is not None:
        try:
            _ID.validate_python(parsed["id"])
        except ValidationError as error:
            raise UsageError("id: not a text of up to 128 characters") from error
    return parsed["value"]


def _plain(text: str) -> object:
    try:
        return json.loads(text, parse_int=float)  # a whole number of 4,000 digits is then infinite, and refused
    except (ValueError, RecursionError):
        raise UsageError(f'{text[:40]!r} is no value; give a bare one, or {{"value": …, "id": …}}') from None


def _switch(value: object) -> bool:
    switched = value if isinstance(value, bool) else _SWITCH.get(str(value).upper())
    if switched is None:
        raise UsageError(f"enabled: {str(value)[:40]!r} is neither ON nor OFF")
    return switched


def _number(setting: str, value: object) -> float:
    adapter, allowed = _NUMBERS[setting]
    try:
        return adapter.validate_python(value)
    except ValidationError:
        given = f"{value:g}" if isinstance(value, float) else repr(str(value)[:40])  # 30, not 30.0
        raise UsageError(f"{setting}: {given} is not {allowed}") from None


def _json(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
