"""`python -m edged` is `edged`."""

import sys

from edged.cli.entry import main

sys.exit(main())
