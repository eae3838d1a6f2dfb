"""``python -m desktop``: the same as ``llamawatt`` without arguments."""

import sys

from desktop.app import main

sys.exit(main())
