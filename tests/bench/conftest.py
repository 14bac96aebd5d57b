"""Programs of `bench/` import each other by the folder that they are run from."""

import sys

from tests.house.tree import ROOT

if str(ROOT / "bench") not in sys.path:
    sys.path.append(str(ROOT / "bench"))
