"""Whether an installed Cyano works: it matches two pictures, with kernels or without, and its command runs.

usage: python scripts/smoke.py [kernels|none|runtime], `runtime` for cyano-runtime
"""

import os
import subprocess
import sys
import sysconfig

import numpy as np

wanted = sys.argv[1] if len(sys.argv) > 1 else None
if wanted == "runtime":
    from cyano_runtime import Matcher, __version__

    name, command = "cyano-runtime", ("cyano-rt", "env")
    matcher = Matcher()
    how = matcher.engine
else:
    from cyano import Matcher, __version__
    from cyano.native import library

    name, command = "cyano", ("cyano", "weights", "verify")
    matcher = Matcher.from_pretrained(device="cpu")
    how = library.status()
    if wanted is not None and (library.target() is not None) != (wanted == "kernels"):
        sys.exit(f"kernels: {how}, and it should be {wanted}")

rng = np.random.default_rng(0)
image = np.kron(rng.integers(0, 256, (24, 32)), np.ones((10, 10))).astype(np.uint8)
found = matcher.match(image, image[10:, 20:])
print(sys.version.split()[0], name, __version__, how, len(found.keypoints0), "matches")
if len(found.keypoints0) <= 100 or not np.allclose(found.keypoints0 - found.keypoints1, (20, 10), atol=0.5):
    sys.exit("the matches are wrong")
program = os.path.join(sysconfig.get_path("scripts"), command[0])
subprocess.run([program, *command[1:]], check=True, stdout=subprocess.DEVNULL)
