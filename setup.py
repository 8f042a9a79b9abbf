"""Build wheels, which with NEURORL_COMPILE=1 hold compiled libraries; setup.cfg says all else.

Without the variable a wheel is for every machine, and what it runs is compiled there when it is
first used. The libraries are printed by the package itself, so the build needs what that imports.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

ASKED = os.environ.get("NEURORL_COMPILE", "") if sys.platform == "linux" else ""
"""Hold 1, or else options of scripts/compile_libraries.py, to compile less."""
NEEDED = ["setuptools >= 70.1", "numpy", "gymnasium >= 1.0, < 2", "platformdirs >= 4"]


class BuildWithLibraries(build_py):
    """Copy the packages, and compile beside them."""

    def run(self) -> None:
        """Build; raises CalledProcessError if something doesn't compile."""
        super().run()
        if self.editable_mode:
            return
        folder = Path(self.build_lib, "neurorl", "native", "libraries")
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier build
        if ASKED:
            script = Path(__file__).parent / "scripts" / "compile_libraries.py"
            options = [] if ASKED == "1" else shlex.split(ASKED)
            subprocess.run([sys.executable, str(script), str(folder), *options], check=True)


class OfPlatform(Distribution):
    """Say that there is code for one platform, which setuptools can't see."""

    def has_ext_modules(self) -> bool:
        """Return whether files go where those of a platform are."""
        return bool(ASKED)


commands: dict[str, type] = {"build_py": BuildWithLibraries}
if ASKED:
    from setuptools.command.bdist_wheel import bdist_wheel

    class WheelOfPlatform(bdist_wheel):
        """Name a wheel for any Python 3 on this platform: its libraries are no modules."""

        def get_tag(self) -> tuple[str, str, str]:
            """Return the tag."""
            return "py3", "none", super().get_tag()[2]

    commands["bdist_wheel"] = WheelOfPlatform

setup(cmdclass=commands, distclass=OfPlatform, setup_requires=NEEDED if ASKED else [])
