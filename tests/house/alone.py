"""The library with nothing else installed: run by `make alone` in an environment of its own."""

import importlib.metadata as metadata
import sys

ALLOWED = {"smclab", "numpy", "pandas", "numba", "llvmlite", "python-dateutil", "six", "tzdata", "pip", "setuptools"}

found = {d.metadata["Name"].lower() for d in metadata.distributions()}
if extra := found - ALLOWED:
    sys.exit(f"pip install smclab brought more than numpy, pandas and numba need: {', '.join(sorted(extra))}")

import smclab  # noqa: E402
from smclab import tapes  # noqa: E402

reading = smclab.read(tapes.market(500, seed=1))
if not len(reading.events):
    sys.exit("the library alone read no events from a made-up market")
for lazy in ("matplotlib", "plotly", "sklearn", "kedro", "mlflow", "papermill"):
    if lazy in sys.modules:
        sys.exit(f"import smclab loaded {lazy}")
print(
    f"smclab {smclab.__version__} alone: {len(reading.events)} events from 500 bars, beside {len(found) - 1} packages"
)
