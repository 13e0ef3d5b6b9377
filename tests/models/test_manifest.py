"""Manifests that are hostile or damaged: refused quickly, in a few words, whatever they hold."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.models import write_package

from edged.errors import ModelError
from edged.models.package import open_package

if TYPE_CHECKING:
    from pathlib import Path


def bomb(levels: int, line: str) -> str:
    return "a0: &a0 {k: v}\n" + "".join(
        f"a{level}: &a{level} {line.format(','.join([f'*a{level - 1}'] * 10))}\n" for level in range(1, levels)
    )


@pytest.mark.parametrize(
    "text",
    [
        bomb(12, "[{0}]"),
        bomb(12, "{{<<: [{0}]}}"),
        "&a [*a]",
        "[" * 50_000,
        "{a: " * 50_000,
        "- " * 50_000 + "x",
        "size: " + "9" * 100_000,
        "when: 2024-13-45",
        "!!python/object/apply:os.system [id]",
        "!!binary 'x'",
        "? [a]\n: b",
        "\x00",
        "a: b: c",
        "- 1\n" * 1000,
        "members: [" + "1," * 100_000 + "]",
        "x" * (1024 * 1024 + 1),
        "",
        "just words",
    ],
    ids=range(18),
)
def test_yaml_bombs_and_rubbish_are_refused_quickly(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.yaml").write_text(text)
    began = time.monotonic()
    with pytest.raises(ModelError) as caught:
        open_package(tmp_path)
    assert time.monotonic() - began < 5
    assert str(caught.value).startswith(f"{tmp_path}/model.yaml: ")
    assert len(str(caught.value)) < 2000


@given(st.binary(max_size=60), st.integers(0, 400))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_manifests_are_refused_or_say_the_same(tmp_path: Path, rubbish: bytes, at: int) -> None:
    folder = write_package(tmp_path / "p")
    text = (folder / "model.yaml").read_bytes()
    (folder / "model.yaml").write_bytes(text[:at] + rubbish + text[at + len(rubbish) :])
    try:
        assert open_package(folder).members[0].file.parent == folder
    except ModelError as error:
        assert str(error).startswith(str(folder))  # noqa: PT017  both outcomes are right
