"""The worker's half of the engine: everything that runs in the other process.

It imports only the standard library, numpy and a TFLite runtime, and runs on Python 3.9 and later, since the worker may
live under another interpreter than the daemon. There this folder is loaded as the package `edged_worker` (see
`edged/engine/process.py`), so its modules import each other relatively and nothing from the rest of edged.
"""
