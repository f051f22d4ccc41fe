"""A place, and an account, for a server that will not run as root.

As root, PostgreSQL runs as ``nobody``. No directory is opened up for that account: if it could not reach the
wanted directory or the programs, both get a place below the system's directory for temporary files. The place
itself belongs to root, so that nobody else can put anything there.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bot.core.errors import Misconfigured

ACCOUNT = "nobody"
PREFIX = "rotakey-of-"
WANTED = "wanted"
"""The file in a place that says which directory it stands for."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place for a server. ``home`` is where the data goes, ``binaries`` where the programs are started
    from."""

    account: tuple[int, int]
    home: Path
    binaries: Path
    packaged: Path
    wanted: Path

    @property
    def moved(self) -> bool:
        return self.home != self.wanted

    def make(self) -> None:
        """Make the place, and remove places of directories that no longer exist; idempotent. Raise
        Misconfigured if somebody else was there first."""
        if self.account[0] == os.getuid():
            return
        if not self.moved:
            self.home.chmod(0o711)
            return
        try:
            self.home.mkdir(mode=0o711)
        except FileExistsError:
            _must_be_ours(self.home)
        self.home.chmod(0o711)
        (self.home / WANTED).write_bytes(os.fsencode(self.wanted))
        if self.binaries != self.packaged and not self.binaries.exists():
            self._copy_programs()
        for each in self.home.parent.glob(f"{PREFIX}*"):
            note = each / WANTED
            if _is_ours(each) and note.is_file() and not Path(os.fsdecode(note.read_bytes())).exists():
                shutil.rmtree(each, ignore_errors=True)

    def _copy_programs(self) -> None:
        root = self.packaged.parent
        whole = self.home / "programs"
        fresh = Path(tempfile.mkdtemp(dir=self.home))
        inside = fresh / root.parent.name / root.name
        shutil.copytree(root, inside, symlinks=True, ignore=shutil.ignore_patterns("include"))
        libraries = root.parent.with_name(f"{root.parent.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        shutil.rmtree(whole, ignore_errors=True)
        fresh.rename(whole)

    def remove(self) -> None:
        if self.moved and self.home.exists():
            _must_be_ours(self.home)
            shutil.rmtree(self.home)


def place_for(data: Path, packaged: Path) -> Place:
    """Return the place for this data. For a plain user it is simply ``data``, with the programs as
    installed."""
    if os.getuid() != 0:
        account = os.getuid(), os.getgid()
        return Place(account=account, home=data, binaries=packaged, packaged=packaged, wanted=data)
    entry = pwd.getpwnam(ACCOUNT)
    account = entry.pw_uid, entry.pw_gid
    programs = (packaged, packaged / "postgres", packaged.parent / "lib", packaged.parent / "share")
    reach_programs = all(_reaches(account, each, 0o5) for each in programs if each.exists())
    reach_data = _reaches(account, data.parent, 0o1)
    if reach_programs and reach_data:
        return Place(account=account, home=data, binaries=packaged, packaged=packaged, wanted=data)
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    home = Path(tempfile.gettempdir()).resolve() / f"{PREFIX}{name}"
    copied = home / "programs" / packaged.parents[1].name / packaged.parent.name / packaged.name
    binaries = packaged if reach_programs else copied
    return Place(account=account, home=home, binaries=binaries, packaged=packaged, wanted=data)


def _reaches(account: tuple[int, int], path: Path, wanted: int) -> bool:
    """Return whether the account may enter every directory on the way, and do at its end what is
    ``wanted``."""
    real = path.resolve()
    return _may(account, real, wanted) and all(_may(account, each, 0o1) for each in real.parents)


def _may(account: tuple[int, int], path: Path, wanted: int) -> bool:
    found = path.stat()
    uid, gid = account
    shift = 6 if found.st_uid == uid else 3 if found.st_gid == gid else 0
    return (found.st_mode >> shift) & wanted == wanted


def _is_ours(path: Path) -> bool:
    found = path.lstat()
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not others_write


def _must_be_ours(path: Path) -> None:
    if not _is_ours(path):
        raise Misconfigured(f"{path} is there and is not ours: remove it, or name another directory")
