"""`python -m deploy.generate`."""

import sys

from deploy.generate.documents import main

sys.exit(main())
