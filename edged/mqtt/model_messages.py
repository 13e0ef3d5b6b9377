"""Payloads about the model: what labels, what is offered, and commands."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from edged.errors import UsageError
from edged.mqtt.messages import SCHEMA, ModelHealth

if TYPE_CHECKING:
    from edged.labeling.label import ModelRef

MAX_COMMAND_BYTES: Final = 4096
MAX_SUMMARY: Final = 255  # Home Assistant's update entity takes no more

State = Literal["good", "probation", "downloading", "proving", "rolled_back"]


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """Which model labels, and what becomes of another.

    Attributes:
        present: the model that labels; None before the first is loaded.
        state: `good`, or what is going on; `rolled_back` after a model failed, until something else happens.
        previous: the one to go back to.
        candidate: the one on its way, or on offer.
        last_error: why the last update failed, or none can be had; None where nothing is wrong.
        since: when `present` took over, UTC (RFC 3339).
    """

    present: ModelRef | None = None
    state: State = "good"
    previous: ModelRef | None = None
    candidate: ModelRef | None = None
    last_error: str | None = None
    since: str | None = None

    @property
    def health(self) -> ModelHealth:
        """The same in short."""
        present = self.present
        if present is None:
            return ModelHealth(state=self.state, last_error=self.last_error)
        return ModelHealth(present.name, present.version, self.state, self.last_error)


@dataclass(frozen=True, slots=True)
class UpdateStatus:
    """What Home Assistant's update entity shows. `percentage`: None where nothing is on its way."""

    installed_version: str | None = None
    latest_version: str | None = None
    title: str = ""
    release_summary: str = ""
    percentage: int | None = None
    in_progress: bool = False


@dataclass(frozen=True, slots=True)
class ModelCommand:
    """`update`; `use` with a name and perhaps a version; `rollback`. `id` comes back in the result."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    action: Literal["update", "use", "rollback"]
    name: Annotated[str, Field(pattern=r"\A[a-z0-9][a-z0-9._-]{0,63}\z")] | None = None
    version: Annotated[str, Field(pattern=r"\A[0-9A-Za-z.+-]{1,64}\z")] | None = None
    id: Annotated[str, Field(max_length=128)] | None = None


_COMMAND: Final = TypeAdapter(ModelCommand)


def model_payload(status: ModelStatus) -> bytes:
    """`…/model` as JSON."""
    present = status.present
    return _json(
        {
            "schema": SCHEMA,
            "name": present and present.name,
            "version": present and present.version,
            "digest": present and present.digest,
            "state": status.state,
            "previous": status.previous and asdict(status.previous),
            "candidate": status.candidate and asdict(status.candidate),
            "last_error": status.last_error,
            "since": status.since,
        }
    )


def update_payload(status: UpdateStatus) -> bytes:
    """`…/update` as JSON: exactly the keys that Home Assistant takes, one more and it drops the message.

    A version that is not known is left out, as null would cost the message too.
    """
    installed = status.installed_version
    versions = {"installed_version": installed, "latest_version": status.latest_version or installed}
    return _json(
        {
            **{key: version for key, version in versions.items() if version is not None},
            "title": status.title,
            "release_summary": status.release_summary[:MAX_SUMMARY],
            "in_progress": status.in_progress,
            "update_percentage": status.percentage,
        }
    )


def result_payload(command: str, error: str | None, command_id: str | None) -> bytes:
    """`…/result` as JSON: the outcome of a command."""
    return _json({"schema": SCHEMA, "command": command, "ok": error is None, "error": error, "id": command_id})


def parse_model_command(payload: bytes) -> ModelCommand:
    """A payload of `…/model/set`.

    Raises:
        UsageError: it is no such command; the text says what is.
    """
    known = '{"action": "update"}, {"action": "use", "name": …, "version": …} or {"action": "rollback"}'
    if len(payload) > MAX_COMMAND_BYTES:
        raise UsageError(f"a command of {len(payload)} bytes; {MAX_COMMAND_BYTES} are taken")
    try:
        command = _COMMAND.validate_json(payload)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise UsageError(f"no command{f' ({where})' if where else ''}; known: {known}") from error
    if (command.action == "use") != (command.name is not None) or (command.version and command.action != "use"):
        raise UsageError(f"name and version are for 'use', which needs a name; known: {known}")
    return command


def _json(fields: dict[str, object]) -> bytes:
    # "replace": an id may hold half a surrogate pair, which JSON has a word for and UTF-8 has not.
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(errors="replace")
