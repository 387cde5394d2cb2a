"""Small programs that measure. They run with the threads' settings of Concord's workers (see `config/celery.py`)."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
