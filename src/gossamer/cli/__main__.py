"""`python -m gossamer.cli`."""

import sys

from gossamer.cli.main import main

sys.exit(main())
