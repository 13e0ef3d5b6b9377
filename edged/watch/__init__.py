"""`edged watch`: what devices say over MQTT, for a terminal.

    listener.py → topic.py, reports.py → devices.py → screen.py or lines.py → show.py
    (a thread)     (frozen types)        (bounded)     (text)                  (the terminal)

Nothing here is the daemon's: it looks on from anywhere, and what comes from a broker is not trusted.
"""
