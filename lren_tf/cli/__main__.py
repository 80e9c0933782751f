"""``python -m lren_tf.cli`` is ``lren-tf``."""

import sys

from lren_tf.cli import main

sys.exit(main())
