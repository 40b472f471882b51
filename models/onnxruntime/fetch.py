#!/usr/bin/env python3
"""Bring the ONNX Runtime library into a folder and print its path.

    fetch.py FOLDER

The library comes out of the wheel that requirements.txt pins by its hash, downloaded with pip from the
package index that pip is set up for. The library is checked once more against its own hash, so that a
second run only reads the file and leaves everything as it is.
"""

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "1.31.1"
LIBRARY = f"libonnxruntime.so.{VERSION}"
SHA256 = "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3"
PLATFORM = "manylinux_2_28_x86_64"


def digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()


def download(into: Path) -> Path:
    """Download the pinned wheel; pip checks its hash."""
    requirements = Path(__file__).with_name("requirements.txt")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:",
         "--implementation", "cp", "--python-version", "3.11", "--abi", "cp311", "--platform", PLATFORM,
         "--dest", str(into), "--requirement", str(requirements)],
        check=True, stdout=sys.stderr,
    )  # fmt: skip
    return next(into.glob("onnxruntime-*.whl"))


def fetch(folder: Path) -> Path:
    """The library in the folder, downloaded unless it is there and whole."""
    library = folder / LIBRARY
    if library.is_file() and digest(library) == SHA256:
        # For make, which compares its time with this script's.
        library.touch()
        return library
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        sys.exit(f"the pinned library is for Linux on x86_64; bring {LIBRARY} yourself and set ORT_DYLIB_PATH")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wheel = download(Path(scratch))
        unpacked = Path(scratch) / LIBRARY
        with zipfile.ZipFile(wheel) as archive:
            unpacked.write_bytes(archive.read(f"onnxruntime/capi/{LIBRARY}"))
        if digest(unpacked) != SHA256:
            sys.exit(f"{LIBRARY} in {wheel.name} is not the library expected")
        os.replace(unpacked, library)
    return library


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(fetch(Path(sys.argv[1])).resolve())
    except subprocess.CalledProcessError:
        sys.exit("the wheel could not be downloaded; everything but ONNX models works without it")


if __name__ == "__main__":
    main()
