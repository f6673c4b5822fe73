"""The real Eedi files, for checks of what the rules would cost."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def eedi() -> Path:
    folder = Path(os.environ.get("EEDI_DIR", Path(__file__).parents[2] / "../shared/data/eedi"))
    if not folder.is_dir():
        pytest.skip(f"the real Eedi files are not at {folder} (set EEDI_DIR)")
    return folder
