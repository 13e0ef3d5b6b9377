"""One camera: where its frames come from, what of them is looked at, and which labels come out."""

# no `from __future__ import annotations` here: pydantic reads the annotations when the classes are made
import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WrapValidator, field_validator

from edged.config.section import Section
from edged.config.types import Duration, Fraction, PositiveDuration, SourceAddress, Text, slug
from edged.config.wording import allowed, problem, with_more

Point = Annotated[tuple[Fraction, Fraction], allowed("a point [x, y]")]


def _has_a_surface(points: tuple[Point, ...]) -> tuple[Point, ...]:
    # not Field(min_length): that one speaks up too when a point is wrong, and hides which
    if len(points) < CORNERS:
        raise ValueError("not a polygon")
    return points


Polygon = Annotated[
    tuple[Point, ...], AfterValidator(_has_a_surface), allowed("a polygon: a list of 3 or more points [x, y]")
]
Region = tuple[float, float, float, float]

CORNERS: Final = 3
ROUNDING: Final = 1e-6
"""How far x + width may pass 1: 0.7 + 0.3 does in floating point."""


def _empty_list(value: object) -> object:
    """A list whose every item is commented out reads as null."""
    return () if value is None else value


def _inside(region: Region) -> Region:
    x, y, width, height = region
    if width <= 0 or height <= 0 or x + width > 1 + ROUNDING or y + height > 1 + ROUNDING:
        raise ValueError("not inside the picture")
    return region


def _whole_number(value: object) -> object:
    return int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,3}", value) else value


Threshold = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
LEAST_FPS: Final = 1e-6
Fps = Annotated[
    float,
    Field(ge=LEAST_FPS, le=240, allow_inf_nan=False),  # one that is nearly 0 gives pauses that no clock can wait
    allowed("a number of frames a second, above 0 and up to 240"),
]
LabelTexts = Annotated[tuple[Text, ...], BeforeValidator(_empty_list), allowed("a list of labels, such as [Cat, Dog]")]


class LabelsConfig(Section):
    """Which labels come out."""

    threshold: Annotated[Threshold | None, allowed("a number between 0 and 1, or null")] = None
    """The least confidence. null: the model's own."""
    max_results: Annotated[int, Field(ge=1, le=100_000), allowed("a whole number from 1")] = 10
    allow: LabelTexts = ()
    """Only these, by text or slug; empty: all."""
    deny: LabelTexts = ()
    """All but these, by text or slug."""
    detail: Annotated[Literal["everyday", "fine", "both"], allowed("everyday, fine or both")] = "both"
    """Groups such as "Bird", the model's own classes, or both."""

    @field_validator("deny")
    @classmethod
    def _not_both(cls, deny: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if deny and info.data.get("allow"):
            raise problem("stands beside allow:", "one of the two, not both")
        return deny


class MotionConfig(Section):
    """A frame that hardly differs from the last labelled one is not labelled."""

    threshold: Fraction = 0.0
    """The least share of the picture that must have changed; 0: every frame is labelled."""
    max_interval: PositiveDuration = 10.0
    """After so long, a frame is labelled all the same."""


class PresenceConfig(Section):
    """When a watched label counts as present."""

    on: Fraction = 0.6
    """Present from this confidence."""
    off: Annotated[Fraction, Field(validate_default=True)] = 0.4
    """Absent below this one; not above `on`."""
    hold_on: Duration = 0.5
    """It is seen for so long before it is present."""
    hold_off: Duration = 10.0
    """It is gone for so long before it is absent."""
    smooth: Annotated[int, Field(ge=1, le=1000), allowed("a whole number from 1 to 1000")] = 1
    """The confidence is the mean over so many results."""

    @field_validator("off")
    @classmethod
    def _off_is_not_above_on(cls, off: float, info: ValidationInfo) -> float:
        on = info.data.get("on", 1.0)
        if off > on:
            raise problem(f"off is {off:g} and on is {on:g}", "off must not be above on")
        return off


def _distinct_slugs(presence: Any, inner: Callable[[Any], dict[str, PresenceConfig]]) -> dict[str, PresenceConfig]:  # noqa: ANN401
    """Two spellings of one label would fight over one topic. Said beside whatever else is wrong within."""
    seen: dict[str, str] = {}
    keys = [key for key in presence if isinstance(key, str)] if isinstance(presence, dict) else []
    doubles = [key for key in keys if seen.setdefault(slug(key) or key, key) != key]
    errors = [problem("is one label with another key", "each label once", at=("presence", key)) for key in doubles]
    result: dict[str, PresenceConfig] = with_more(inner, presence, errors)
    return result


class CameraConfig(Section):
    """One camera."""

    source: SourceAddress
    """picamera[:N], v4l2:DEVICE, rtsp://…, http(s)://…, a file or a folder."""
    fps: Fps = 5.0
    """At most so many frames a second are labelled."""
    rotation: Annotated[
        Literal[0, 90, 180, 270], BeforeValidator(_whole_number), allowed("0, 90, 180 or 270 degrees, clockwise")
    ] = 0
    """Degrees clockwise that make the picture upright."""
    region: Annotated[
        tuple[Fraction, Fraction, Fraction, Fraction],
        AfterValidator(_inside),
        allowed("[x, y, width, height] in fractions of the picture, inside it, width and height above 0"),
    ] = (0.0, 0.0, 1.0, 1.0)
    """The part that is looked at: x, y, width, height in fractions of the upright picture."""
    masks: Annotated[
        tuple[Polygon, ...], BeforeValidator(_empty_list), allowed("a list of polygons of points [x, y]")
    ] = ()
    """Polygons, in fractions of the upright picture, blanked before anything else sees the frame."""
    labels: LabelsConfig = Field(default_factory=LabelsConfig)
    stall: PositiveDuration = 10.0
    """Without a frame for so long, the source is opened anew."""
    image: Annotated[bool, allowed("true or false")] = False
    """Publish snapshots."""
    motion: MotionConfig = Field(default_factory=MotionConfig)
    presence: Annotated[
        dict[Text, PresenceConfig],
        BeforeValidator(lambda value: {} if value is None else value),
        WrapValidator(_distinct_slugs),
    ] = Field(default_factory=dict)
    """Labels that become on and off, by slug or text; "*": every label."""
    loop: Annotated[bool, allowed("true or false")] = True
    """A folder or file begins again at its end."""
    order: Annotated[Literal["name", "time", "random"], allowed("name, time or random")] = "name"
    """In which order the photos of a folder come."""
    realtime: Annotated[bool, allowed("true or false")] = True
    """A video plays at its own speed; false: as fast as it can be labelled."""
