# SPDX-License-Identifier: Apache-2.0
"""Times whole messages, mbuf to mbuf, with the floors that a worker uses and no thread."""

import os
import sys

from programs import built, program
from result import arguments

options = arguments("bench/pipeline", __doc__)
if not options.no_build:
    built("bench/strowger-bench")
argv = [program("strowger-bench"), "--benchmark_filter=pipeline", f"--benchmark_min_time={0.05 if options.quick else 0.5}"]
sys.stdout.flush()
os.execv(argv[0], argv)
