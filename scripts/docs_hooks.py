"""mkdocs: links from the documentation to files of the repository outside of docs/ become their names.

They lead somewhere on GitHub and in a checkout, and nowhere on the site. `tests/docs` checks that the files are there.
"""

from __future__ import annotations

import posixpath
import re
from typing import Final, Protocol

LINK: Final = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#\s]+)(?:#[^)\s]*)?\)")


class _File(Protocol):
    src_uri: str


class _Page(Protocol):
    file: _File


def on_page_markdown(markdown: str, page: _Page, **_: object) -> str:
    """One page's text, before it becomes HTML."""
    folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))

    def named(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[2]))
        if target.startswith("docs/"):
            return link[0]
        return link[1] if target in link[1] else f"{link[1]} (`{target}` in the repository)"

    return LINK.sub(named, markdown)
