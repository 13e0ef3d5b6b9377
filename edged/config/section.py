"""What every section of the configuration has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, model_validator

from edged.config.types import redact

if TYPE_CHECKING:
    from collections.abc import Iterable


class Section(BaseModel):
    """Frozen; unknown keys are errors; its repr hides what addresses hold of secrets."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, value: Any) -> Any:  # noqa: ANN401  whatever the file holds
        """A section whose every line is commented out reads as null, and means the defaults."""
        return {} if value is None else value

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, redact(value) if isinstance(value, str) else value
