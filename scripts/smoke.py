"""Whether an installed Cyano works: it matches two pictures, with kernels or without, and its command runs.

usage: python scripts/smoke.py [kernels|none]
"""

import subprocess
import sys

import numpy as np

import cyano
from cyano.native import library

rng = np.random.default_rng(0)
image = np.kron(rng.integers(0, 256, (24, 32)), np.ones((10, 10))).astype(np.uint8)
found = cyano.match(image, image[10:, 20:])
print(sys.version.split()[0], "cyano", cyano.__version__, library.status(), len(found.keypoints0), "matches")
if len(found.keypoints0) <= 100 or not np.allclose(found.keypoints0 - found.keypoints1, (20, 10), atol=0.5):
    sys.exit("the matches are wrong")
if sys.argv[1:] and (library.target() is not None) != (sys.argv[1] == "kernels"):
    sys.exit("kernels are in use where they should not be, or the other way round")
subprocess.run([sys.executable, "-m", "cyano", "weights", "verify"], check=True, stdout=subprocess.DEVNULL)
