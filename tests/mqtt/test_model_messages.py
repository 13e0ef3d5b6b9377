"""Payloads about the model, and commands as they come in."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.errors import UsageError
from edged.labeling.label import ModelRef
from edged.mqtt.model_messages import (
    MAX_COMMAND_BYTES,
    ModelCommand,
    ModelStatus,
    UpdateStatus,
    model_payload,
    parse_model_command,
    result_payload,
    update_payload,
)

BIRDS = ModelRef("birds", "1.2.0", "sha256:00ff")


def test_the_model_is_told_with_the_keys_of_the_contract() -> None:
    status = ModelStatus(BIRDS, "probation", None, BIRDS, "why", "2026-11-26T08:00:00Z")
    assert json.loads(model_payload(status)) == {
        "schema": 1,
        "name": "birds",
        "version": "1.2.0",
        "digest": "sha256:00ff",
        "state": "probation",
        "previous": None,
        "candidate": {"name": "birds", "version": "1.2.0", "digest": "sha256:00ff"},
        "last_error": "why",
        "since": "2026-11-26T08:00:00Z",
    }
    assert json.loads(model_payload(ModelStatus()))["name"] is None
    assert (status.health.name, status.health.state) == ("birds", "probation")


def test_the_update_has_exactly_what_home_assistant_takes() -> None:
    told = json.loads(update_payload(UpdateStatus("1.1.0", "1.2.0", "Birds", "n" * 300, 40, in_progress=True)))
    assert told == {
        "installed_version": "1.1.0",
        "latest_version": "1.2.0",
        "title": "Birds",
        "release_summary": "n" * 255,
        "in_progress": True,
        "update_percentage": 40,
    }
    assert json.loads(update_payload(UpdateStatus("1.1.0")))["latest_version"] == "1.1.0", "nothing is offered"


def test_a_result_says_whose_and_how() -> None:
    assert json.loads(result_payload("model/set", None, "7")) == {
        "schema": 1,
        "command": "model/set",
        "ok": True,
        "error": None,
        "id": "7",
    }
    assert json.loads(result_payload("model/set", "no", None))["ok"] is False


@pytest.mark.parametrize(
    ("payload", "command"),
    [
        (b'{"action": "update"}', ModelCommand("update")),
        (b'{"action": "rollback", "id": "x"}', ModelCommand("rollback", id="x")),
        (b'{"action":"use","name":"birds","version":"1.2.0"}', ModelCommand("use", "birds", "1.2.0")),
        (b'{"action":"use","name":"birds"}', ModelCommand("use", "birds")),
    ],
)
def test_commands_are_understood(payload: bytes, command: ModelCommand) -> None:
    assert parse_model_command(payload) == command


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"update",
        b"[]",
        b'{"action": "dance"}',
        b'{"action": "use"}',
        b'{"action": "update", "name": "birds"}',
        b'{"action": "rollback", "version": "1.0.0"}',
        b'{"action": "use", "name": "../birds"}',
        b'{"action": "use", "name": "birds", "version": "a b"}',
        b'{"action": "update", "more": 1}',
        b'{"action": "update", "id": 7}',
        b'{"action":"update"}' + b" " * MAX_COMMAND_BYTES,
        b"\xff\xfe",
        b"[" * 4000,
    ],
)
def test_what_is_no_command_is_refused_in_words(payload: bytes) -> None:
    with pytest.raises(UsageError, match=r"command|name and version"):
        parse_model_command(payload)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_command_or_refused(payload: bytes) -> None:
    with contextlib.suppress(UsageError):
        parse_model_command(payload)
