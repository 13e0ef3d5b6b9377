"""Home Assistant: the device shows itself there over MQTT, without a line of configuration."""
