"""Secrets come out nowhere: not in errors, reprs, dumps or tracebacks."""

import traceback
from pathlib import Path

import pytest

from edged.config import parse_config
from edged.errors import ConfigError

SECRET = "hunter2"  # noqa: S105  a made-up one


def test_right_configuration_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text(SECRET)
    monkeypatch.setenv("CAMERA_PASSWORD", SECRET)
    for password in ("password_file: secret", f"password: {SECRET}", 'password: "${CAMERA_PASSWORD}"'):
        config = parse_config(
            f"mqtt: {{username: u, {password}}}\n"
            f"registry: {{url: 'https://h/x?token={SECRET}'}}\n"
            "cameras:\n"
            "  a: {source: 'rtsp://u:${CAMERA_PASSWORD}@h/x'}\n"
            f"  b: {{source: 'http://h/x?token={SECRET}'}}\n",
            name="e.yaml",
            folder=tmp_path,
        )
        assert config.mqtt.password is not None
        assert config.mqtt.password.get_secret_value() == SECRET
        assert config.cameras["a"].source == f"rtsp://u:{SECRET}@h/x"
        dumps = [config.model_dump(), config.model_dump(mode="json"), config.model_dump_json()]
        shown = [repr(config), str(config), repr(config.cameras), str(config.cameras["a"]), *map(str, dumps)]
        assert not [text for text in shown if SECRET in text]


@pytest.mark.parametrize(
    "line",
    [
        "mqtt: {password: [hunter2]}",
        "mqtt: {password: hunter2}",
        "mqtt: {password_file: hunter2}",
        "mqtt: {username: u, password_file: hunter2}",
        "mqtt: {host: 'mqtt://u:hunter2@h'}",
        "mqtt: {host: 'u:hunter2@h'}",
        "mqtt: {servers: ['u:hunter2@h:1']}",
        "mqtt: {passwort: hunter2}",
        "mqtt: {password:hunter2}",
        "mqtt: {username: u, password: *hunter2}",
        "mqtt: {username: u, password: !hunter2}",
        "mqtt: {username: u, password: !hunter2!x a}",
        "mqtt: {username: u, password: '${hunter2-}'}",
        "mqtt: {username: u, password: 'hunter2}",
        "mqtt: {username: u, password: %hunter2}",
        "mqtt: {username: u, password: hunter2, password: hunter2}",
        "mqtt: {tls: hunter2}",
        "mqtt: hunter2",
        'mqtt: {port: "${SECRET}"}',
        'device: "${SECRET} x"',
        'cameras: {a: {source: picamera, fps: "${SECRET}"}}',
        'cameras: {a: {source: picamera, labels: {allow: "${SECRET}"}}}',
        "cameras: {a: {source: 'gopher://u:hunter2@h'}}",
        "cameras: {a: {source: 'u:hunter2@h/x'}}",
        "cameras: {a: {source: 'rtsp:/u:hunter2@h/x'}}",
        "cameras: {'rtsp://u:hunter2@h/x': {source: picamera}}",
        "cameras: {a: {source: picamera, rotation: 'rtsp://u:hunter2@h/x'}}",
        "registry: {url: 'u:hunter2@h'}",
        "registry: {url: 'https://u:hunter2@h/x'}",
        "web: {listen: '0.0.0.0:1', token_file: hunter2}",
    ],
)
def test_errors_show_no_secret(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    with pytest.raises(ConfigError) as caught:
        parse_config(f"{line}\n", name="e.yaml", folder=Path("/etc/edged"))
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown.replace("e.yaml", "")
    assert SECRET not in repr(caught.value)
    assert SECRET not in repr(caught.value.findings)
    assert caught.value.__context__ is None  # nor does the error carry another one that holds the values
