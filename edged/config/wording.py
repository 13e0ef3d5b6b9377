"""Errors in words for people, in place of pydantic's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError, WrapValidator
from pydantic_core import InitErrorDetails, PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_core import ErrorDetails

OWN_WORDS: Final = frozenset({"not_allowed", "problem"})
"""The types of error that this package raises; pydantic's other ones are put into words in `messages`."""


def allowed(text: str) -> WrapValidator:
    """Whatever is wrong with a value, say in words for people what is allowed instead.

    An error inside the value (one point of a polygon) keeps its own words and its place.
    """

    def validate(value: Any, inner: Callable[[Any], Any]) -> Any:  # noqa: ANN401  pydantic's own signature
        try:
            return inner(value)
        except ValidationError as error:
            if all(detail["type"] in OWN_WORDS for detail in error.errors(include_url=False, include_input=False)):
                raise
        raise PydanticCustomError("not_allowed", "{allowed}", {"allowed": text})

    return WrapValidator(validate)


def problem(what: str, must: str, *, at: tuple[str, ...] = ()) -> PydanticCustomError:
    """An error in words of its own: `what` is wrong, what it `must` be.

    `at` is the key that it is really about, as seen from the mapping that holds the value being checked.
    """
    return PydanticCustomError("problem", "{what} ({must})", {"what": what, "must": must, "at": at})


def with_more(inner: Callable[[Any], Any], value: Any, errors: list[PydanticCustomError]) -> Any:  # noqa: ANN401  as above
    """The value that `inner` makes of `value`; its errors and these `errors` together, where there are any."""
    details: list[InitErrorDetails] = [{"type": error, "loc": (), "input": value} for error in errors]
    result = None
    try:
        result = inner(value)
    except ValidationError as error:
        details += [_again(each) for each in error.errors(include_url=False)]
    if details:
        raise ValidationError.from_exception_data("value", details)
    return result


def _again(error: ErrorDetails) -> InitErrorDetails:
    context: dict[str, Any] = error.get("ctx", {})
    if error["type"] in OWN_WORDS:
        template = "{allowed}" if error["type"] == "not_allowed" else "{what} ({must})"
        return {
            "type": PydanticCustomError(error["type"], template, context),
            "loc": error["loc"],
            "input": error["input"],
        }
    return {"type": error["type"], "loc": error["loc"], "input": error["input"], "ctx": context}
