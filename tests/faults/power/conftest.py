"""What the tests of power cuts need."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .trace import strace


@pytest.fixture(scope="session")
def recording() -> None:
    """See that system calls can be recorded."""
    if not shutil.which("strace"):
        pytest.skip("system calls cannot be recorded here: there is no program `strace`")
    tried = subprocess.run(strace(Path(os.devnull), ["true"]), capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"system calls cannot be recorded here: {tried.stderr.strip()}")
