"""All that is said of the package is in setup.cfg; this is for editable installs alone.

The folders ``backends`` and ``models`` are packages inside ``neurorl``, where links lead to them.
An editable install that follows these is one folder on the search path, which type checkers and
editors read. By ``package_dir`` alone it would be a hook at import time, which they don't.
"""

import sys
from pathlib import Path

from setuptools import setup

LINKED = ("backends", "models")  # a checkout on Windows may have text files in place of links

options: dict[str, dict[str, str]] = {}
if "editable_wheel" in sys.argv and all(Path("neurorl", name).is_dir() for name in LINKED):
    options["package_dir"] = {"": "."}
setup(**options)
