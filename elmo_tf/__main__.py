"""`python -m elmo_tf COMMAND`, the same as `elmo-tf COMMAND`."""

import sys

from elmo_tf.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
