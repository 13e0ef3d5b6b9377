"""Whatever the text: a configuration or a ConfigError, soon. Whatever the configuration: written and read, the same."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.config import Config, parse_config
from edged.errors import ConfigError

FOLDER = Path("/etc/edged")

names = st.from_regex(r"\A[a-z0-9_-]{1,12}\Z").filter(
    lambda name: name not in {"status", "model", "update", "health", "result", "inference"}
)
fractions = st.floats(0, 1).map(lambda number: round(number, 4))
durations = st.sampled_from(["500ms", "5s", "10m", "1h", 3, 0.25])
texts = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="\x7f$", exclude_categories=["Cc"]),
    min_size=1,
)
points = st.tuples(fractions, fractions).map(list)
presence = st.fixed_dictionaries(
    {}, optional={"on": st.floats(0.5, 1), "off": st.floats(0, 0.4), "hold_on": durations, "smooth": st.integers(1, 9)}
)
cameras = st.fixed_dictionaries(
    {"source": st.sampled_from(["picamera", "v4l2:/dev/video0", "rtsp://h/x", "photos", "/a b.mp4"])},
    optional={
        "fps": st.floats(0.01, 240),
        "rotation": st.sampled_from([0, 90, 180, 270]),
        "region": st.sampled_from([[0, 0, 1, 1], [0.25, 0.5, 0.75, 0.5], [0.7, 0.1, 0.3, 0.9]]),
        "masks": st.lists(st.lists(points, min_size=3, max_size=5), max_size=2),
        "labels": st.fixed_dictionaries(
            {},
            optional={"threshold": st.none() | fractions, "max_results": st.integers(1, 99), "allow": st.lists(texts)},
        ),
        "stall": durations,
        "image": st.booleans(),
        "presence": st.dictionaries(names, presence, max_size=2).filter(lambda found: len(found) < 2),
        "order": st.sampled_from(["name", "time", "random"]),
    },
)
configurations = st.fixed_dictionaries(
    {"cameras": st.dictionaries(names, cameras, min_size=1, max_size=3)},
    optional={
        "device": names,
        "mqtt": st.fixed_dictionaries(
            {},
            optional={
                "host": st.sampled_from(["localhost", "embedded", "fd00::1"]),
                "port": st.integers(1, 65535),
                "servers": st.lists(st.sampled_from(["a:1", "[fd00::1]:2", "b"])),
                "username": texts,
                "protocol": st.sampled_from(["auto", "5", 5, "3.1.1"]),
                "keepalive": st.integers(1, 65535),
                "tls": st.none() | st.just({}),
            },
        ),
        "inference": st.fixed_dictionaries({}, optional={"threads": st.just("auto") | st.integers(1, 64)}),
        "registry": st.fixed_dictionaries(
            {"url": st.just("https://models.example/x")},
            optional={
                "window": st.none() | st.sampled_from(["02:00-05:00", "22:15-6:00"]),
                "probation": st.fixed_dictionaries({}, optional={"for": durations, "results": st.integers(0, 9)}),
            },
        ),
        "web": st.fixed_dictionaries({}, optional={"listen": st.none() | st.sampled_from(["127.0.0.1:0", "[::1]:80"])}),
        "state": st.sampled_from(["/var/lib/edged", "state"]),
    },
)

# pieces that make YAML, and mistakes in it, likelier than any characters do
words = "cameras: presence labels source: picamera null on off 0 1e9 ${HOME} ${ ${X:-a} *a &a << --- ... |- >"
pieces = st.sampled_from(
    [
        *words.split(),
        *(
            ": ",
            ":",
            "\n",
            "\n  ",
            "- ",
            "[",
            "]",
            "{",
            "}",
            ",",
            "!",
            "|",
            "'",
            '"',
            "#",
            "? ",
            "%",
            "@",
            "`",
            "~",
            "\t",
        ),
        *("\\", "\x85", "\ufeff", "\u2028", "é", '"\\UFFFFFFFF"', '"\\ud800"', "%YAML 1." + "9" * 5000),
    ]
)


@settings(max_examples=300, deadline=2000)
@given(st.text() | st.lists(pieces, max_size=60).map("".join))
def test_any_text_is_a_configuration_or_a_config_error(text: str) -> None:
    try:
        parse_config(text, name="e.yaml", folder=FOLDER)
    except ConfigError as error:
        assert error.findings  # noqa: PT017  right texts raise nothing
        for line in str(error).split("\n"):
            assert line.startswith("e.yaml:")
            assert line.isprintable()
        for finding in error.findings:
            assert finding.line is None or 1 <= finding.line <= len(text.splitlines()) + 1


@settings(max_examples=200, deadline=2000)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text() | st.sampled_from(sorted(Config.model_fields)), inner, max_size=4)
        ),
    )
)
def test_any_tree_is_a_configuration_or_a_config_error(tree: Any) -> None:  # noqa: ANN401  any tree
    try:
        parse_config(yaml.safe_dump(tree, allow_unicode=True), name="e.yaml", folder=FOLDER)
    except ConfigError as error:
        assert "see docs" not in str(error)  # noqa: PT017  every error has words of its own


@settings(max_examples=150, deadline=2000)
@given(configurations)
def test_configuration_is_the_same_after_it_is_written_and_read(tree: dict[str, Any]) -> None:
    first = parse_config(yaml.safe_dump(tree, allow_unicode=True), name="e.yaml", folder=FOLDER)
    again = parse_config(json.dumps(first.model_dump(mode="json", by_alias=True)), name="e.yaml", folder=Path("/else"))
    assert again == first
    given = parse_config(
        yaml.safe_dump(first.model_dump(mode="json", by_alias=True, exclude_unset=True)), name="e.yaml", folder=FOLDER
    )
    assert given == first
    assert Config.model_validate(tree, context={"folder": FOLDER}) == first


@pytest.mark.parametrize(
    "piece", ["- ", "? ", "[", "{", "a: {", "&a ", "*a ", "!", "'", '"', "${", "a: ", "${A:-", ":\n", "|\n"]
)
def test_the_same_again_and_again_takes_no_long(piece: str) -> None:
    start = time.monotonic()
    with pytest.raises(ConfigError):
        parse_config(piece * 20_000, name="e.yaml", folder=FOLDER)
    assert time.monotonic() - start < 5
