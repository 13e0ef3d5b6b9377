"""Every kind of mistake is said with its file, line and key, in words for people, and all of them at once."""

import time
from pathlib import Path

import pytest

from edged.config import Config, parse_config
from edged.errors import ConfigError

CAMERA = "cameras: {porch: {source: picamera}}\n"


def refused(text: str, folder: Path = Path("/etc/edged")) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, name="e.yaml", folder=folder)
    return caught.value


def camera(line: str) -> str:
    """A camera with `line` as its line 4."""
    return f"cameras:\n  porch:\n    source: picamera\n    {line}\n"


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        # unknown keys
        (CAMERA + "mqqt: {host: x}\n", 2, "mqqt", "did you mean 'mqtt'"),
        (CAMERA + "mqtt:\n  prot: 1\n", 3, "mqtt.prot", "did you mean 'port'"),
        (camera("regoin: [0, 0, 1, 1]"), 4, "cameras.porch.regoin", "did you mean 'region'"),
        (camera("presence: {cat: {hold: 1}}"), 4, "cameras.porch.presence.cat.hold", "did you mean 'hold_on'"),
        (CAMERA + "mqtt: {tls: {certificate: x}}\n", 2, "mqtt.tls.certificate", "known here: ca, cert, key"),
        (CAMERA + "registry: {url: https://x, probation: {four: 1}}\n", 2, "registry.probation.four", "'for'"),
        (CAMERA + "qzxv: 1\n", 2, "qzxv", "is not a known key (known here: device, mqtt"),
        (CAMERA + "mqtt: {port:5}\n", 2, "mqtt.port:…", "space after the colon is missing"),
        # twice
        (CAMERA + "device: a\nstate: x\ndevice: b\n", 4, "device", "twice, on lines 2 and 4"),
        (camera("fps: 1") + "    fps: 2\n", 5, "cameras.porch.fps", "twice, on lines 4 and 5"),
        (camera("presence: {cat: , Cat: }"), 4, "cameras.porch.presence.Cat", "one label with another key"),
        # wrong types and values
        (CAMERA + "device: [a]\n", 2, "device", "must be 1 to 64"),
        (CAMERA + "device: Porch Pi\n", 2, "device", "'Porch Pi' does not fit"),
        (CAMERA + "mqtt: 5\n", 2, "mqtt", "must be a mapping"),
        (CAMERA + "mqtt: [a]\n", 2, "mqtt", "must be a mapping"),
        (CAMERA + "mqtt: {port: many}\n", 2, "mqtt.port", "'many' does not fit (must be a whole number from 1"),
        (CAMERA + "mqtt: {port: 65536}\n", 2, "mqtt.port", "65535"),
        (CAMERA + "mqtt: {port: 0}\n", 2, "mqtt.port", "with host: embedded"),
        (CAMERA + "mqtt: {host: 'a:1883'}\n", 2, "mqtt.host", "without scheme and port"),
        (CAMERA + "mqtt: {servers: [a, b:x]}\n", 2, "mqtt.servers[1]", "'b:x' does not fit"),
        (CAMERA + "mqtt: {servers: a}\n", 2, "mqtt.servers", "must be a list"),
        (CAMERA + "mqtt: {protocol: 4}\n", 2, "mqtt.protocol", "auto, 5 or 3.1.1"),
        (CAMERA + "mqtt: {keepalive: 0s}\n", 2, "mqtt.keepalive", "from 1s to 65535s"),
        (CAMERA + "mqtt: {password: abc}\n", 2, "mqtt.password", "stands without username"),
        (CAMERA + "mqtt: {username: a, password: b, password_file: c}\n", 2, "mqtt.password", "not both"),
        (CAMERA + "mqtt: {username: a, password_file: nope}\n", 2, "mqtt.password_file", "cannot be read"),
        (CAMERA + "mqtt:\n  tls:\n    ca: nope\n", 4, "mqtt.tls.ca", "cannot be read"),
        (CAMERA + "mqtt: {tls: {cert: /dev/null}}\n", 2, "mqtt.tls.cert", "stands without key"),
        (CAMERA + "mqtt: {tls: {key: /dev/null}}\n", 2, "mqtt.tls.key", "stands without cert"),
        (CAMERA + "model: {name: a, path: b}\n", 2, "model.path", "not both"),
        (CAMERA + "model: {name: ./a.tflite}\n", 2, "model.name", "write path: instead"),
        (CAMERA + "inference: {device: gpu}\n", 2, "inference.device", "auto, edgetpu or cpu"),
        (CAMERA + "inference: {threads: 0}\n", 2, "inference.threads", "whole number from 1"),
        (CAMERA + "inference: {deadline: 5 days}\n", 2, "inference.deadline", "500ms, 5s, 10m or 1h"),
        (CAMERA + "inference: {deadline: 0}\n", 2, "inference.deadline", "not 0"),
        (CAMERA + "inference: {deadline: 1e999h}\n", 2, "inference.deadline", "a duration"),
        (CAMERA + "inference: {load_deadline: 99999h}\n", 2, "inference.load_deadline", "up to 8760h"),
        (CAMERA + "web: {listen: '0.0.0.0:8765'}\n", 2, "web.listen", "no token_file is given"),
        (CAMERA + "web: {listen: 8765}\n", 2, "web.listen", "127.0.0.1:8765"),
        (CAMERA + "registry: {interval: 1h}\n", 2, "registry.url", "is missing"),
        (CAMERA + "registry: {url: ftp://x}\n", 2, "registry.url", "file:///"),
        (CAMERA + "registry: {url: 'http://joe:hunter2@h/'}\n", 2, "registry.url", "user and password are not taken"),
        (CAMERA + "registry: {url: http://x, window: 25:00-3:00}\n", 2, "registry.window", "02:00-05:00"),
        (CAMERA + "home_assistant: {prefix: 'a/#'}\n", 2, "home_assistant.prefix", "without +, #"),
        (CAMERA + "home_assistant: {discovery: maybe}\n", 2, "home_assistant.discovery", "true or false"),
        # cameras
        ("", 1, "cameras", "no camera"),
        ("mqtt:\n", 1, "cameras", "no camera"),
        ("device: a\ncameras:\n", 2, "cameras", "no camera"),
        ("device: a\ncameras: {}\n", 2, "cameras", "no camera"),
        ("cameras: [a]\n", 1, "cameras", "must be a mapping"),
        ("cameras:\n  porch:\n", 2, "cameras.porch.source", "is missing"),
        ("cameras:\n  Porch: {source: picamera}\n", 2, "cameras.Porch", "the name 'Porch' does not fit"),
        ("cameras:\n  status: {source: picamera}\n", 2, "cameras.status", "not status, model, update"),
        ("cameras: {a: {source: 'gopher://h/x'}}\n", 1, "cameras.a.source", "picamera[:N], v4l2:"),
        ("cameras: {a: {source: 'user:pw@host/x'}}\n", 1, "cameras.a.source", "rtsp://"),
        (camera("fps: 0"), 4, "cameras.porch.fps", "above 0 and up to 240"),
        (camera("fps: nan"), 4, "cameras.porch.fps", "above 0 and up to 240"),
        (camera("fps: [1]"), 4, "cameras.porch.fps", "above 0 and up to 240"),
        (camera("rotation: 45"), 4, "cameras.porch.rotation", "0, 90, 180 or 270"),
        (camera("image: maybe"), 4, "cameras.porch.image", "true or false"),
        (camera("region: [0, 0, 1]"), 4, "cameras.porch.region", "[x, y, width, height]"),
        (camera("region: [0.5, 0, 0.6, 1]"), 4, "cameras.porch.region", "inside it"),
        (camera("region: [0, 0, 0, 1]"), 4, "cameras.porch.region", "above 0"),
        (camera("region: [0, 0, 1.5, 1]"), 4, "cameras.porch.region[2]", "between 0 and 1"),
        (
            camera("region:\n      - 0\n      - 0\n      - 1\n      - x"),
            8,
            "cameras.porch.region[3]",
            "'x' does not fit",
        ),
        (camera("masks: [[[0, 0], [1, 1]]]"), 4, "cameras.porch.masks[0]", "3 or more points"),
        (camera("masks: [[[0, 0], [1, 2], [1, 1]]]"), 4, "cameras.porch.masks[0][1][1]", "between 0 and 1"),
        (camera("labels: {threshold: 1.5}"), 4, "cameras.porch.labels.threshold", "between 0 and 1"),
        (camera("labels: {max_results: 0}"), 4, "cameras.porch.labels.max_results", "from 1"),
        (camera("labels: {allow: [a], deny: [b]}"), 4, "cameras.porch.labels.deny", "not both"),
        (camera("labels: {allow: cat}"), 4, "cameras.porch.labels.allow", "must be a list"),
        (camera("presence: {cat: {on: 0.3, off: 0.4}}"), 4, "cameras.porch.presence.cat.off", "not be above on"),
        (camera("motion: {max_interval: -1s}"), 4, "cameras.porch.motion.max_interval", "a duration"),
        # variables
        (CAMERA + "device: ${EDGED_NOT_SET}\n", 2, "device", "EDGED_NOT_SET is not set"),
        (CAMERA + "device: ${1}\n", 2, "device", "does not begin a variable"),
        (CAMERA + "device: ${X\n", 2, "device", "does not begin a variable"),
        # the file's form
        ("just text\n", 1, "", "must be a mapping"),
        ("- a\n", 1, "", "must be a mapping"),
        ("device: a\n\tstate: b\n", 2, "", "tab"),
        ("mqtt:\n  host: a\n   port: 1\n", 3, "", "indent evenly"),
        ("device: 'a\n", 2, "", "not closed"),
        ("mqtt: {host: a\nweb:\n", 2, "", "not closed"),
        ("a: 1\nmqtt: {host: ${X}, port: 1}\n", 2, "", "needs quotes"),
        ("device: a\n---\ndevice: b\n", 2, "", "second document"),
        ("device: !!python/object:os.system a\n", 1, "", "a tag"),
        ("device: *a\n", 1, "", "an alias"),
        ("a: &a\n  b: *a\n", 2, "", "hold itself"),
        ("? [a]\n: b\n", 1, "", "a key must be text"),
        ("a: 1\n<<: 5\n", 1, "", "'<<' does not name a mapping"),
        ("a: 1\n? " + "x" * 300 + "\n: 1\n", 2, "", "a key is too long"),
        ('a: 1\nb: "\\0"\n', 2, "", "control character"),
        ('a: "\\ud800"\n', 1, "", "control character"),
        ('a: "\\UFFFFFFFF"\n', 1, "", "not YAML"),
        ("a: 1\nb: \x07\n", 2, "", "control character"),
        ("[" * 2000, 1, "", "nested too deep"),
        ("- " * 2000 + "\n", 1, "", "nested too deep"),
        ("[" + "a," * 60_000 + "]", 1, "", "too many values"),
    ],
)
def test_mistake_is_said_with_line_key_and_words(text: str, line: int, key: str, words: str) -> None:
    findings = refused(text).findings
    assert (line, key) in [(finding.line, finding.key) for finding in findings], findings
    finding = next(each for each in findings if (each.line, each.key) == (line, key))
    assert words in finding.message
    assert str(finding).startswith(f"e.yaml:{line}: {key}: " if key else f"e.yaml:{line}: ")


def test_all_mistakes_are_said_at_once_in_the_order_of_the_file() -> None:
    error = refused(
        "device: A\n"
        "mqtt: {port: x, kepalive: 3}\n"
        "cameras:\n"
        "  porch:\n"
        "    fps: 0\n"
        "    presence: {cat: {on: 2}, Cat: {}, dog: {off: 0.9}}\n"
        "  porch: {}\n"
        "state: ${EDGED_NOT_SET}\n"
    )
    assert [(finding.line, finding.key) for finding in error.findings] == [
        (1, "device"),
        (2, "mqtt.port"),
        (2, "mqtt.kepalive"),
        (4, "cameras.porch.source"),
        (5, "cameras.porch.fps"),
        (6, "cameras.porch.presence.Cat"),
        (6, "cameras.porch.presence.cat.on"),
        (6, "cameras.porch.presence.dog.off"),
        (7, "cameras.porch"),
        (8, "state"),
    ]
    assert str(error).splitlines() == [str(finding) for finding in error.findings]
    assert error.exit_code == 78


def test_no_message_is_in_the_words_of_the_validation_library() -> None:
    wrong = ["", "[]", "{}", "x", "-1", "{a: b}", "[[x]]", "99999999999999999999999", "null", "[null]", "'${X:-}'"]
    keys = [("", name) for name in Config.model_fields if name != "cameras"]
    sections = ("mqtt", "model", "inference", "registry", "web", "home_assistant")
    keys += [(section, key) for section in sections for key in _keys(section)]
    for section, key in keys:
        for value in wrong:
            line = f"{section}: {{{key}: {value}}}\n" if section else f"{key}: {value}\n"
            try:
                parse_config(CAMERA + line, name="e.yaml", folder=Path("/etc/edged"))
            except ConfigError as error:
                for jargon in ("Input should", "valid ", "type=", "literal[", "see docs", "Error"):
                    assert jargon not in str(error), line  # noqa: PT017  some values are right, and raise nothing


def _keys(section: str) -> list[str]:
    from edged.config.messages import known_keys  # noqa: PLC0415  an inner part, for this test alone

    return known_keys((section,))


def test_many_mistakes_are_cut_short_and_counted() -> None:
    error = refused(CAMERA + "".join(f"key{number}: 1\n" for number in range(300)))
    assert len(error.findings) == 101
    assert "200 more errors" in str(error.findings[-1])


def test_billion_laughs_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    assert "too many values" in str(refused("\n".join(lines)))


def test_merged_mappings_cannot_multiply() -> None:
    keys = "\n".join(f"  k{n}: 1" for n in range(1000))
    merges = "\n".join(f"m{n}: {{<<: *big}}" for n in range(1000))
    assert "too many values" in str(refused(f"big: &big\n{keys}\n{merges}\n"))


def test_long_text_cannot_multiply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONG", "x" * 100_000)
    for text in ("a: &a " + "x" * 500_000 + "\nb: [*a, *a, *a, *a]\n", "a: '" + "${LONG}" * 1000 + "'\n"):
        assert "too much text" in str(refused(text))


def test_as_many_mistakes_as_fit_are_said_in_bounded_time() -> None:
    start = time.monotonic()
    for text in (
        "".join(f"{number}cameras{number}: 1\n" for number in range(24_000)),
        "cameras:\n  ? " + "x" * 250 + "\n  :\n" + "".join(f"    k{number}: 1\n" for number in range(24_000)),
        f"cameras: {{a: {{source: picamera, masks: [{'[2], ' * 24_000}]}}}}\n",
        f"cameras: {{a: {{source: picamera, presence: {{{', '.join(f'{n}: {{on: 2}}' for n in range(12_000))}}}}}}}\n",
        "cameras: {" + "source:, " * 24_000 + "}\n",
    ):
        assert "more errors" in str(refused(text))
    assert time.monotonic() - start < 60
