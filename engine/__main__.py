"""python -m engine: see engine.cli."""

import sys

from engine.cli import main

sys.stdout.reconfigure(errors="surrogateescape")  # file names as the system has them, be they UTF-8 or not
sys.exit(main())
