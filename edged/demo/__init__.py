"""`edged demo`: the whole daemon with nothing to configure."""
