"""One life of a real Home Assistant with its real MQTT integration. Run by its own interpreter, not by the tests'.

Reads a JSON object a line, and answers each with one on standard output:
{"do": "look"} gives entities, states, devices and what was logged so far; {"do": "call", "service": "switch.turn_on",
"data": {…}} calls a service; {"do": "image", "entity": …} fetches one through Home Assistant's own proxy. Ends with its
standard input. Usage: home_assistant_life.py FOLDER MQTT-PORT HTTP-PORT USER PASSWORD
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import types
import urllib.request
from pathlib import Path
from typing import Any

from homeassistant import bootstrap, config, config_entries, core, loader, runner
from homeassistant.components import mqtt
from homeassistant.helpers import device_registry, entity_registry

OPTIONAL = ("aiohttp_fast_zlib", "homeassistant.components.camera.img_util")  # say that a speed-up is not installed
SHOWN = ("platform", "entity_id", "unique_id", "entity_category", "original_name", "disabled_by")
DEVICE = ("name", "manufacturer", "model", "sw_version", "configuration_url")


class Said(logging.Handler):
    """Keeps every warning, and everything worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(OPTIONAL):
            self.lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")


class Life:
    """Home Assistant at work."""

    def __init__(self, folder: Path, broker: int, http: int, login: tuple[str, str], said: Said) -> None:
        self._folder = folder
        self._broker = broker
        self._http = http
        self._user, self._password = login
        self._said = said
        self._hass = core.HomeAssistant(str(folder))

    async def start(self) -> None:
        """Set up the core and the MQTT integration, found in its own storage from the second life on."""
        hass = self._hass
        http = f"http:\n  server_host: 127.0.0.1\n  server_port: {self._http}\n"
        (self._folder / "configuration.yaml").write_text(f"homeassistant:\n  unit_system: metric\n{http}")
        loader.async_setup(hass)
        hass.config.skip_pip = True
        bootstrap.DEFAULT_INTEGRATIONS = set()
        found = await bootstrap.async_from_config_dict(await config.async_hass_config_yaml(hass), hass)
        if found is None:
            raise RuntimeError("Home Assistant's core does not come up")
        if not hass.config_entries.async_entries(mqtt.DOMAIN):
            await hass.config_entries.async_add(self._entry())
        await hass.async_start()

    async def stop(self) -> None:
        """End in order."""
        await self._hass.async_stop(force=True)

    async def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """One line of standard input."""
        if order["do"] == "call":
            domain, service = order["service"].split(".")
            try:
                await self._hass.services.async_call(domain, service, order["data"], blocking=True)
            except Exception as error:  # noqa: BLE001  told to the test
                return {"error": f"{type(error).__name__}: {error}"}
            return {}
        if order["do"] == "image":
            image: dict[str, Any] = await self._hass.async_add_executor_job(self._image, order["entity"])
            return image
        return self._look()

    def _look(self) -> dict[str, Any]:
        entities = entity_registry.async_get(self._hass).entities.values()
        devices = device_registry.async_get(self._hass).devices.values()
        states = {state.entity_id: state for state in self._hass.states.async_all()}
        return {
            "entities": {
                each.unique_id: {
                    **{key: getattr(each, key) for key in SHOWN},
                    "domain": each.domain,
                    "state": states[each.entity_id].state if each.entity_id in states else None,
                    "attributes": dict(states[each.entity_id].attributes) if each.entity_id in states else {},
                }
                for each in entities
            },
            "devices": [{key: getattr(each, key) for key in DEVICE} for each in devices],
            "connected": mqtt.is_connected(self._hass) if "mqtt" in self._hass.data else False,
            "said": self._said.lines,
        }

    def _image(self, entity: str) -> dict[str, Any]:
        state = self._hass.states.get(entity)
        picture = "" if state is None else state.attributes.get("entity_picture", "")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._http}{picture}", timeout=5) as answer:
                return {"type": answer.headers["Content-Type"], "head": answer.read(3).hex()}
        except OSError as error:
            return {"error": str(error)}

    def _entry(self) -> config_entries.ConfigEntry:
        return config_entries.ConfigEntry(
            domain=mqtt.DOMAIN,
            title="test",
            data={
                "broker": "127.0.0.1",
                "port": self._broker,
                "username": self._user,
                "password": self._password,
            },
            options={"discovery": True, "discovery_prefix": "homeassistant"},
            source=config_entries.SOURCE_USER,
            unique_id=None,
            version=mqtt.CONFIG_ENTRY_VERSION,
            minor_version=mqtt.CONFIG_ENTRY_MINOR_VERSION,
            discovery_keys=types.MappingProxyType({}),
            subentries_data=(),
        )


async def live() -> None:
    """Until standard input ends."""
    said = Said()
    logging.getLogger().addHandler(said)
    life = Life(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), (sys.argv[4], sys.argv[5]), said)
    await life.start()
    lines: asyncio.StreamReader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    try:
        while line := await lines.readline():
            print(json.dumps(await life.obey(json.loads(line)), default=str), flush=True)  # noqa: T201  the answer
    finally:
        await life.stop()


if __name__ == "__main__":
    asyncio.set_event_loop_policy(runner.HassEventLoopPolicy(debug=False))
    asyncio.new_event_loop().run_until_complete(live())
