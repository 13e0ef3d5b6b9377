"""Run by Home Assistant's own interpreter: automations in JSON on standard input, judged by its own schemas."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile

from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation, frame


async def judge() -> None:
    """Raises what Home Assistant has against one of them."""
    with tempfile.TemporaryDirectory() as folder:
        home = HomeAssistant(folder)
        frame.async_setup(home)
        for automation in json.load(sys.stdin):
            config_validation.TRIGGER_SCHEMA(automation["triggers"])
            config_validation.CONDITIONS_SCHEMA(automation.get("conditions", []))
            config_validation.SCRIPT_SCHEMA(automation["actions"])
        await home.async_stop(force=True)


asyncio.run(judge())
