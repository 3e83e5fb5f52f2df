# SPDX-License-Identifier: Apache-2.0
"""Times every step of a message's path beside what bounds it: memcpy and memchr of the same bytes, libosip2's parser."""

import os
import sys

from programs import built, program
from result import arguments

options = arguments("bench/micro", __doc__)
if not options.no_build:
    built("bench/strowger-bench")
argv = [program("strowger-bench"), f"--benchmark_min_time={0.05 if options.quick else 0.5}"]
sys.stdout.flush()
os.execv(argv[0], argv)
