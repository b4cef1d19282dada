"""Builds the package from a checkout in which `make build` has been run: `pip install ./python`.

The wheel holds the call path (vidx/_vidx.c and the headers beside it, one binary for Python 3.11 and later) and libvidx
itself. VIDX_LIBRARY names another library than that of `make build`.
"""

import ctypes
import os
import pathlib
import shutil
import sys

from setuptools import Extension, setup
from setuptools.command.build_py import build_py
from wheel.bdist_wheel import bdist_wheel

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
SUFFIX = "dylib" if sys.platform == "darwin" else "so"
LIBRARY = pathlib.Path(os.environ.get("VIDX_LIBRARY") or CHECKOUT / ".build/release" / f"libvidx.{SUFFIX}")
if not LIBRARY.exists():
    sys.exit(f"{LIBRARY} is missing: run make build first")


def version():
    function = ctypes.CDLL(str(LIBRARY)).vidx_version
    function.restype = ctypes.c_char_p
    return function().decode()


class BuildWithLibrary(build_py):
    def run(self):
        super().run()
        shutil.copy2(LIBRARY, pathlib.Path(self.build_lib) / "vidx" / f"libvidx.{SUFFIX}")


class WheelForAllVersions(bdist_wheel):
    def finalize_options(self):
        super().finalize_options()
        self.py_limited_api = "cp311"


setup(
    version=version(),
    ext_modules=[
        Extension("vidx._vidx", ["vidx/_vidx.c"], include_dirs=[os.path.relpath(
            CHECKOUT / "Sources/CVidxExtension/include", pathlib.Path(__file__).resolve().parent)],
            extra_compile_args=["-std=gnu17"], depends=[
                "../Sources/CVidxExtension/include/vidx.h", "vidx/_arguments.h", "vidx/_filters.h",
                "vidx/_interruption.h"],
            py_limited_api=True),
    ],
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": WheelForAllVersions},
)
