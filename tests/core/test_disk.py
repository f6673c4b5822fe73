"""A full disk is one clear error, before the work or in its midst."""

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.disk import full_disk_told, require_space
from core.errors import InputError


def test_too_little_room_is_told_before_anything_is_done(tmp_path: Path) -> None:
    require_space(tmp_path / "not" / "there", 1)
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(InputError, match=r"needs .* GB of disk, but .* has .* GB free"):
        require_space(tmp_path / "not" / "there", 2 * free)


def test_only_a_full_disk_is_turned_into_an_error_of_the_user(tmp_path: Path) -> None:
    from safetensors import SafetensorError

    for fault in (OSError(errno.ENOSPC, "No space left"), OSError(errno.EDQUOT, "quota")):
        with pytest.raises(InputError, match="x: the disk is full"), full_disk_told(tmp_path / "x"):
            raise fault
    told = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    with pytest.raises(InputError, match="the disk is full"), full_disk_told(tmp_path / "x"):
        raise told
    with pytest.raises(PermissionError), full_disk_told(tmp_path / "x"):
        raise PermissionError(errno.EACCES, "no")
    with pytest.raises(SafetensorError), full_disk_told(tmp_path / "x"):
        raise SafetensorError("header too large")


def test_safetensors_tells_the_systems_error_as_it_is_looked_for(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the words around the number are the same."""
    code = (
        "import resource, signal, sys, torch\n"
        "from safetensors.torch import save_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "save_file({'a': torch.zeros(10000)}, sys.argv[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x.safetensors")], capture_output=True, text=True, check=False
    )
    assert f"(os error {errno.EFBIG})" in done.stderr
