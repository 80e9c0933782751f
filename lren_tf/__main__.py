"""``python -m lren_tf`` is ``lren-tf``."""

import sys

from lren_tf.cli import main

sys.exit(main())
