"""Commands as they come in: what is understood, and that nothing else does harm."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.errors import UsageError
from edged.mqtt.command_messages import (
    Applied,
    SettingCommand,
    id_of,
    parse_inference_command,
    parse_setting,
    settings_payload,
)

if TYPE_CHECKING:
    from edged.mqtt.command_messages import Value

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["value", "id", "x"]), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("setting", "payload", "value"),
    [
        ("threshold", b"0.5", 0.5),
        ("threshold", b" 0 ", 0.0),
        ("threshold", b'{"value": 1, "id": "a"}', 1.0),
        ("threshold", b"null", None),
        ("threshold", b'{"value": null}', None),
        ("fps", b"12.5", 12.5),
        ("fps", b'{"value": "5"}', 5.0),
        ("enabled", b"ON", True),
        ("enabled", b"off", False),
        ("enabled", b'{"value": true}', True),
        ("enabled", b'{"value": "OFF", "id": null}', False),
    ],
)
def test_bare_values_and_objects_are_understood(setting: str, payload: bytes, value: Value) -> None:
    assert parse_setting("porch", setting, payload) == SettingCommand("porch", setting, value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("setting", "payload"),
    [
        ("threshold", b"1.01"),
        ("threshold", b"-0.1"),
        ("threshold", b"NaN"),
        ("threshold", b"true"),
        ("threshold", b""),
        ("threshold", b"9" * 4000),
        ("threshold", b"0.5" + b" " * 5000),
        ("threshold", b'{"value": 0.5, "further": 1}'),
        ("threshold", b'{"value": 0.5, "id": 7}'),
        ("threshold", b"[" * 4000),
        ("fps", b"0"),
        ("fps", b"241"),
        ("fps", b"1e999"),
        ("fps", b"\xff\xfe"),
        ("enabled", b"1"),
        ("enabled", b'{"value": 1}'),
        ("brightness", b"1"),
    ],
)
def test_what_is_no_command_is_refused_in_words(setting: str, payload: bytes) -> None:
    with pytest.raises(UsageError):
        parse_setting("porch", setting, payload)


@given(setting=st.sampled_from(["threshold", "fps", "enabled", "x"]), payload=st.binary(max_size=200))
def test_garbage_is_a_value_in_its_range_or_is_refused(setting: str, payload: bytes) -> None:
    try:
        command = parse_setting("porch", setting, payload)
    except UsageError:
        return
    value = command.value
    assert value is None or (isinstance(value, bool) if setting == "enabled" else 0 <= value <= 240)


@given(setting=st.sampled_from(["threshold", "fps", "enabled"]), found=ANYTHING)
def test_any_json_is_a_command_or_is_refused(setting: str, found: object) -> None:
    payload = json.dumps(found).encode()
    identity = id_of(payload)
    assert identity is None or len(identity) <= 128
    for parse in (lambda: parse_setting("porch", setting, payload), lambda: parse_inference_command(payload)):
        with contextlib.suppress(UsageError):
            parse()


def test_inference_is_restarted_and_nothing_else() -> None:
    assert parse_inference_command(b'{"action": "restart", "id": "1"}').id == "1"
    for payload in (b"restart", b'{"action": "stop"}', b'{"action": "restart", "now": true}', b"[]", b"\xff"):
        with pytest.raises(UsageError):
            parse_inference_command(payload)


def test_settings_say_what_applies_and_what_differs_from_the_file() -> None:
    told = json.loads(settings_payload(Applied(None, 2.0, enabled=False), Applied(None, 5.0), 0.5))
    assert told == {
        "schema": 1,
        "threshold": 0.5,
        "fps": 2.0,
        "enabled": False,
        "file": {"threshold": None, "fps": 5.0, "enabled": True},
        "differs": ["fps", "enabled"],
    }
