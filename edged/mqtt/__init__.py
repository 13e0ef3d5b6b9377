"""The way out: topics and payloads, the connection's life, and a broker for the demo."""
