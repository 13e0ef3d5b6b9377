"""Where `edged` begins: with Ctrl-C, before anything is imported that takes its time."""

from __future__ import annotations

from edged.cli.interrupt import interrupt_ends_process


def main() -> int:
    """Run the command line. Returns the exit code."""
    interrupt_ends_process()
    from edged.cli.main import main as run  # noqa: PLC0415  not before the line above

    return run()
