"""What a right configuration means: defaults, spellings, YAML's pitfalls, variables."""

import socket
from datetime import time
from pathlib import Path

import pytest

from edged.config import (
    CameraConfig,
    Config,
    Server,
    Window,
    parse_config,
    redact,
    schema,
    slug,
    source_kind,
)
from edged.config.advice import advice
from edged.errors import ConfigError

CAMERA = "cameras: {porch: {source: picamera}}\n"


def parse(text: str) -> Config:
    return parse_config(text, name="e.yaml", folder=Path("/etc/edged"))


def camera(line: str) -> CameraConfig:
    return parse(f"cameras:\n  porch:\n    source: picamera\n    {line}\n").cameras["porch"]


def test_defaults_are_those_of_the_contract() -> None:
    config = parse(CAMERA + "registry: {url: https://models.example}\n")
    assert config.model_dump(mode="json", by_alias=True, exclude={"device"}) == {
        "mqtt": {
            "host": "localhost",
            "port": 1883,
            "servers": [],
            "username": None,
            "password_file": None,
            "password": None,
            "tls": None,
            "protocol": "auto",
            "transport": "tcp",
            "keepalive": 15.0,
        },
        "model": {"name": "base", "channel": "stable", "members": None, "locale": "en", "path": None},
        "inference": {
            "device": "auto",
            "threads": "auto",
            "deadline": 5.0,
            "load_deadline": 30.0,
            "python": None,
            "runtime": "auto",
            "memory": 1024,
            "edgetpu": {"library": "libedgetpu.so.1", "device": ""},
        },
        "cameras": {
            "porch": {
                "source": "picamera",
                "fps": 5.0,
                "rotation": 0,
                "region": [0.0, 0.0, 1.0, 1.0],
                "masks": [],
                "labels": {"threshold": None, "max_results": 10, "allow": [], "deny": [], "detail": "both"},
                "stall": 10.0,
                "image": False,
                "motion": {"threshold": 0.0, "max_interval": 10.0},
                "presence": {},
                "loop": True,
                "order": "name",
                "realtime": True,
            }
        },
        "registry": {
            "url": "https://models.example",
            "root": "/etc/edged/root.json",
            "interval": 3600.0,
            "automatic": True,
            "window": None,
            "metered": False,
            "probation": {"results": 100, "for": 600.0},
            "slowdown": 3.0,
            "disk": 1024,
        },
        "web": {"listen": "127.0.0.1:8765", "token_file": None, "hosts": []},
        "home_assistant": {"discovery": True, "prefix": "homeassistant"},
        "heat": {"slow_from": 75.0, "least": 0.2},
        "state": "/var/lib/edged",
    }
    assert camera("presence: {cat: }").presence["cat"].model_dump() == {
        "on": 0.6,
        "off": 0.4,
        "hold_on": 0.5,
        "hold_off": 10.0,
        "smooth": 1,
    }


def test_example_of_the_contract_is_read(tmp_path: Path) -> None:
    for name in ("password", "ca", "cert", "key", "token"):
        (tmp_path / name).write_text("sixteen-letters-or-more\n")
    config = parse_config(
        """
device: porch-pi
mqtt: {host: broker, port: 8883, username: u, password_file: password, protocol: auto,
       tls: {ca: ca, cert: cert, key: key}}
model: {name: base, channel: stable, members: null}
inference: {device: auto, threads: auto, deadline: 5s, load_deadline: 30s, python: null,
            edgetpu: {library: libedgetpu.so.1, device: ""}}
cameras:
  porch:
    source: picamera
    fps: 5
    rotation: 0
    region: [0.0, 0.0, 1.0, 1.0]
    masks: []
    labels: {threshold: null, max_results: 10, allow: [], deny: [], detail: both}
    stall: 10s
    image: false
    motion: {threshold: 0.0, max_interval: 10s}
    presence:
      cat: {on: 0.6, off: 0.4, hold_on: 0.5s, hold_off: 10s, smooth: 1}
      "*": {on: 0.7}
registry: {url: https://x, root: root.json, interval: 1h, automatic: true, window: null, metered: false,
           probation: {results: 100, for: 10m}}
web: {listen: 0.0.0.0:8765, token_file: token, hosts: [porch.example]}
home_assistant: {discovery: true, prefix: homeassistant}
state: /var/lib/edged
""",
        name="e.yaml",
        folder=tmp_path,
    )
    assert config.mqtt.tls is not None
    assert config.mqtt.tls.key == tmp_path / "key"
    assert config.cameras["porch"].presence["*"].on == 0.7


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("5s", 5), ("10m", 600), ("1h", 3600), ("0.5s", 0.5), ("7", 7), ("2.5", 2.5), ("'5 s'", 5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert camera(f"stall: {text}").stall == seconds


def test_words_that_yaml_takes_for_something_else_mean_what_they_say() -> None:
    config = parse("device: 007\nmqtt: {protocol: 3.1.1, username: yes, password: 0123}\n" + CAMERA)
    assert (config.device, config.mqtt.protocol, config.mqtt.username) == ("007", "3.1.1", "yes")
    assert config.mqtt.password is not None
    assert config.mqtt.password.get_secret_value() == "0123"
    assert parse("device: 123\nmqtt: {protocol: 5}\n" + CAMERA).mqtt.protocol == "5"
    assert camera("labels: {allow: [no, on, 1.10, 12:30, 'null']}").labels.allow == (
        "no",
        "on",
        "1.10",
        "12:30",
        "null",
    )
    presence = camera("presence: {cat: {on: 0.7, off: 0.2}, no: {off: 0.1}}").presence
    assert (presence["cat"].on, presence["cat"].off, presence["no"].off) == (0.7, 0.2, 0.1)


@pytest.mark.parametrize(
    ("text", "value"), [("yes", True), ("on", True), ("True", True), ("no", False), ("off", False)]
)
def test_switches(text: str, value: bool) -> None:  # noqa: FBT001  a parameter of the test
    assert camera(f"image: {text}").image is value


def test_empty_sections_and_lists_are_their_defaults() -> None:
    config = parse("mqtt:\nmodel:\ninference:\n  edgetpu:\nregistry:\nweb:\nhome_assistant:\n" + CAMERA)
    assert config == parse(CAMERA)
    assert camera("masks:\n    labels: {allow: , deny: }\n    presence:\n    motion:") == camera("fps: 5")


def test_variables_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "porch")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("NOT_SET", raising=False)
    config = parse(
        """
device: ${NAME}-${NOT_SET:-pi}
mqtt: {port: "${NOT_SET:-1884}", username: "${EMPTY:-x}", password: "a$${NAME}$b"}
model: {name: '${NAME}'}
inference:
  python: ${EMPTY}
"""
        + CAMERA
    )
    assert (config.device, config.mqtt.port, config.mqtt.username) == ("porch-pi", 1884, "x")
    assert config.mqtt.password is not None
    assert config.mqtt.password.get_secret_value() == "a${NAME}$b"
    assert config.model.name == "porch"
    assert config.inference.python is None


def test_aliases_and_merged_mappings_are_followed() -> None:
    config = parse(
        """
cameras:
  a: &usual
    source: picamera
    fps: 2
    labels: &labels {max_results: 3}
  b: {<<: *usual, source: picamera:1}
  c: {source: http://h/x, labels: *labels}
"""
    )
    assert (config.cameras["b"].fps, config.cameras["b"].source) == (2, "picamera:1")
    assert config.cameras["c"].labels.max_results == 3


def test_broker_addresses() -> None:
    assert parse(CAMERA).mqtt.addresses == (Server("localhost", 1883),)
    servers = parse(CAMERA + "mqtt: {servers: [a:1884, b, '[fd00::1]:1885', 'fd00::2']}\n").mqtt.addresses
    assert servers == (Server("a", 1884), Server("b", 1883), Server("fd00::1", 1885), Server("fd00::2", 1883))
    assert str(servers[2]) == "[fd00::1]:1885"
    assert parse(CAMERA + "mqtt: {host: embedded, port: 0}\n").mqtt.embedded


def test_page_addresses() -> None:
    assert parse(CAMERA + "web: {listen: null}\n").web.listen is None
    assert parse(CAMERA + "web: {listen: '[::1]:0'}\n").web.listen == Server("::1", 0)
    assert parse(CAMERA + "web: {listen: localhost:80}\n").web.listen == Server("localhost", 80)


def test_window_of_the_day() -> None:
    registry = parse(CAMERA + "registry: {url: file:///srv/models, window: 22:30-5:00}\n").registry
    assert registry is not None
    assert registry.window == Window(time(22, 30), time(5))


def test_device_is_named_after_the_machine_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MACHINE_ID", tmp_path / "machine-id")
    monkeypatch.setattr(socket, "gethostname", lambda: "Porch Pi.local")
    assert parse(CAMERA).device == "porch-pi-local"
    (tmp_path / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    assert parse(CAMERA).device == "edged-3eb1bd43"


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("picamera", "picamera"),
        ("picamera:1", "picamera"),
        ("v4l2:/dev/video0", "v4l2"),
        ("v4l2:0", "v4l2"),
        ("rtsps://h/x", "rtsp"),
        ("https://h/x", "http"),
        ("/srv/a b.mp4", "path"),
        ("photos", "path"),
        ("./a:b.mp4", "path"),
    ],
)
def test_kinds_of_sources(address: str, kind: str) -> None:
    assert source_kind(address) == kind


@pytest.mark.parametrize(
    "address", ["", "gopher://h", "v4l2:", "v4l2:video0", "v4l2:0x", "picamera:x", "rtsp:///x", "http:h", "c:film"]
)
def test_unknown_kinds_of_sources(address: str) -> None:
    with pytest.raises(ValueError, match="unknown"):
        source_kind(address)


@pytest.mark.parametrize(
    "address",
    ["rtsp://cam:99999/x", "http://cam:0", "http://cam:http/x", "http://[fd00::1]:80800/x", "rtsp://u:hunter2@cam:9x/"],
)
def test_impossible_port_of_a_source_is_an_error(address: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.source: the port after the host is none \(a number from 1 to") as caught:
        parse(f"cameras: {{a: {{source: '{address}'}}}}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://cam:554/x",
        "http://[fd00::1]:8080/x",
        "http://[fd00::1]/x:99999",
        "http://cam?x:99999",
        "rtsp://user:99999@cam/x",
        "rtsp://user:99999/x@cam:554/x",
        "http://cam/snap.jpg?usr=admin&pwd=p@ss:word",
        "rtsp://nvr:554/user=me@example.com:secret/ch1",
    ],
)
def test_what_looks_like_a_port_elsewhere_in_a_source_is_none(address: str) -> None:
    assert parse(f"cameras: {{a: {{source: '{address}'}}}}").cameras["a"].source == address


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://user:hunter2@cam:554/x", "rtsp://***@cam:554/x"),
        ("rtsp://user:hun@te/r2@cam/x", "rtsp://***@cam/x"),
        ("http://cam/x.cgi?user=a&pwd=hunter2", "http://cam/x.cgi?***"),
        ("rtsp://cam/user=admin_password=hunter2_channel=1.sdp", "rtsp://cam/user=***"),
        ("http://cam/x?mail=a@hunter2", "http://***@hunter2"),
        ("user:hunter2@cam/x", "***@cam/x"),
        ("http://cam/x", "http://cam/x"),
        ("v4l2:/dev/v4l/by-id/usb-a@b", "v4l2:/dev/v4l/by-id/usb-a@b"),
        ("/srv/photos", "/srv/photos"),
    ],
)
def test_redacted_addresses(address: str, shown: str) -> None:
    assert redact(address) == shown


def test_slugs() -> None:
    assert (slug("Tabby, tabby cat"), slug("--A--"), slug("猫")) == ("tabby-tabby-cat", "a", "")


def test_advice_names_what_looks_like_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    config = parse_config(
        """
cameras:
  here: {source: photos}
  gone: {source: nope.mp4, masks: [[[0, 0], [1, 0], [1, 1]]]}
  dark: {source: picamera, region: [0.2, 0.2, 0.2, 0.2],
         masks: [[[0, 0], [0.3, 0], [0.3, 1], [0, 1]], [[0.3, 0], [1, 0], [1, 1], [0.3, 1]]]}
model: {path: m.tflite}
inference: {python: py}
registry: {url: https://x, root: r}
""",
        name="e",
        folder=tmp_path,
    )
    assert [sentence.partition(":")[0] for sentence in advice(config)] == [
        "cameras.gone.source",
        "cameras.dark.masks",
        "model.path",
        "inference.python",
        "registry.root",
    ]
