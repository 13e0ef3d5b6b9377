"""The configuration: is it there, and right?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edged.config import find_config, load_config
from edged.config.advice import advice
from edged.config.load import VARIABLE
from edged.doctor.check import Check
from edged.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from edged.config import Config

NAME = "configuration"


def look_at_configuration(option: Path | None) -> tuple[Config | None, list[Check]]:
    """The configuration that the daemon would take, and what is to be said of it; None where it cannot be used.

    `option` is the file that the user named; without one, there need not be any.
    """
    path = find_config(option)
    named = option is not None or bool(os.environ.get(VARIABLE))
    if not named and not os.path.lexists(path):
        text = f"there is no configuration yet ({path}): the checks take the defaults, and no camera is looked at"
        return None, [Check(NAME, "absent", text, "name yours with -c FILE; config/edged.yaml is one to start from")]
    try:
        config = load_config(path)
    except ConfigError as error:
        cure = "mend the file (docs/configuration.md has every key); until then the checks take the defaults"
        return None, [Check(NAME, "problem", str(finding), cure) for finding in error.findings]
    doubts = [text for text in advice(config) if ".source:" not in text]  # the check of the camera says that
    if doubts:
        return config, [
            Check(NAME, "warning", f"{path}: {text}", "change it where it was not meant") for text in doubts
        ]
    count = len(config.cameras)
    return config, [Check(NAME, "ok", f"{path}: right, with {count} camera{'s' if count > 1 else ''}")]
