"""Every link leads somewhere: to a page, a heading, a file of the repository."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest
import yaml
from support.documents import PAGES, ROOT, name, prose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINK = re.compile(r"\]\(([^)\s]+)\)")


@cache
def headings(page: Path) -> frozenset[str]:
    """The anchors of a page, as GitHub and mkdocs make them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return frozenset(
        re.sub(r"[^\w -]", "", title.replace("`", "")).strip().lower().replace(" ", "-") for title in titles
    )


def links(page: Path) -> Iterator[str]:
    for target in LINK.findall(prose(page)):
        if not re.match(r"https?://", target):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_of_the_page_lead_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{name(page)}: {target}: there is no {file}"
        assert file.is_relative_to(ROOT), f"{name(page)}: {target} is outside of the repository"
        if anchor:
            assert anchor in headings(file), f"{name(page)}: {target}: {sorted(headings(file))}"


def in_navigation(part: object) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for inner in part.values():
            yield from in_navigation(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from in_navigation(inner)


def test_every_page_has_its_place_on_the_site() -> None:
    """mkdocs itself is stricter, and an environment of its own: scripts/docs."""
    pages = sorted(in_navigation(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]))
    assert pages == sorted(
        page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page.is_relative_to(ROOT / "docs")
    )


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 250
