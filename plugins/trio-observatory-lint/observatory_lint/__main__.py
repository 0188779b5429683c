"""`python -m observatory_lint`."""

import sys

from observatory_lint.command import main

sys.exit(main())
