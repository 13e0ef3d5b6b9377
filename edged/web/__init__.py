"""The page and the HTTP interface: they look on, and no label ever waits for them.

Everything here runs in a thread with an event loop of its own (`server.py`); the daemon hands over what is new without
waiting, and is asked through `desk.py`. Without `web.listen` nothing of it is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.config import Config
    from edged.web.page import Page


def open_page(config: Config) -> Page | None:
    """Takes the page's port, before anything else is started. None: the configuration wants no page.

    Raises:
        UnavailableError: another program has the port.
        ConfigError: the token's file holds no token.
        PermissionDeniedError: the port is for root alone.
    """
    if config.web.listen is None:
        return None
    from edged.web.page import Page  # noqa: PLC0415  a server and a framework, for those who want a page

    return Page(config)
