"""Letting PostgreSQL's account reach its files when the folders above them are closed.

PostgreSQL refuses to run as root, so root's instance runs it under another account. That account needs search
permission on every folder above the data and above the binaries, and these may be root-owned and 0700. Each
blocking folder gets one entry for that one account in its POSIX access list and nobody else gains anything;
only where the file system keeps no access lists is search permission given to all. What was changed is said
aloud.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.embedded.processes import Account, EngineError

Notice = Callable[[str], None]

_XATTR = "system.posix_acl_access"
_VERSION = 2
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NO_ID = 0xFFFFFFFF
_SEARCH = 1


def database_account() -> Account | None:
    """The account PostgreSQL runs under: None means the caller's own, because the caller is not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise EngineError(
        "PostgreSQL refuses to run as root and this machine has neither a user `postgres` nor `nobody`.\n"
        "Make one: useradd --system --shell /usr/sbin/nologin postgres"
    )


def may(account: Account, test: str, path: Path) -> bool:
    """Ask the system itself, under the account, whether a permission holds (`-x`, `-r`): modes, lists and
    mounts count.
    """
    return (
        subprocess.run(
            ["/bin/sh", "-c", 'test "$1" "$2"', "sh", test, str(path)],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            check=False,
        ).returncode
        == 0
    )


def open_path(target: Path, account: Account | None, notice: Notice) -> None:
    """Make every folder down to and including `target` searchable for the account."""
    if account is None:
        return
    for folder in _folders(target):
        if may(account, "-x", folder):
            continue
        how = _allow_search(folder, account)
        notice(
            f"gave user {account.name} search permission on {folder} ({how}): PostgreSQL runs as that user"
        )


def _folders(target: Path) -> Iterator[Path]:
    """The folders from the root down, along the path as written and along where its links lead."""
    seen: set[Path] = set()
    for path in (target.absolute(), target.resolve()):
        for folder in (*reversed(path.parents), path):
            if folder not in seen and folder.is_dir():
                seen.add(folder)
                yield folder


def _allow_search(folder: Path, account: Account) -> str:
    try:
        os.setxattr(folder, _XATTR, _with_search(folder, account.uid))
    except OSError as problem:
        if problem.errno not in (errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL):
            raise _cannot(folder, account, problem) from problem
    else:
        # A list may be stored and still not be looked at, so the system is asked again.
        if may(account, "-x", folder):
            return "an access list entry"
    try:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)
    except OSError as problem:
        raise _cannot(folder, account, problem) from problem
    return "chmod o+x"


def _cannot(folder: Path, account: Account, problem: OSError) -> EngineError:
    return EngineError(
        f"user {account.name} cannot search {folder}, and it cannot be allowed to: {problem.strerror}.\n"
        f"Allow it yourself (chmod o+x {folder}) or choose another place with --data."
    )


def _with_search(folder: Path, uid: int) -> bytes:
    """The folder's access list with search permission for one more user and no more for anybody else."""
    entries = _entries(folder)
    old_mask = next((perm for tag, perm, _ in entries if tag == _MASK), None)
    kept: list[tuple[int, int, int]] = []
    own = 0
    for tag, perm, who in entries:
        if tag == _MASK:
            continue
        if tag in (_USER, _GROUP, _GROUP_OBJ) and old_mask is not None:
            # The mask is about to widen: what it held back until now must stay held back.
            perm &= old_mask
        if tag == _USER and who == uid:
            own = perm
            continue
        kept.append((tag, perm, who))
    kept.append((_USER, own | _SEARCH, uid))
    mask = 0
    for tag, perm, _ in kept:
        if tag in (_USER, _GROUP, _GROUP_OBJ):
            mask |= perm
    kept.append((_MASK, mask, _NO_ID))
    kept.sort(key=lambda entry: (entry[0], entry[2]))
    return struct.pack("<I", _VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in kept)


def _entries(folder: Path) -> list[tuple[int, int, int]]:
    try:
        raw = os.getxattr(folder, _XATTR)
    except OSError:
        mode = stat.S_IMODE(folder.stat().st_mode)
        return [
            (_USER_OBJ, mode >> 6 & 7, _NO_ID),
            (_GROUP_OBJ, mode >> 3 & 7, _NO_ID),
            (_OTHER, mode & 7, _NO_ID),
        ]
    return list(struct.iter_unpack("<HHI", raw[4:]))


def open_tree(root: Path, account: Account | None, notice: Notice) -> None:
    """Make an installed tree readable for the account: a strict umask at installation leaves it unreadable.

    The tree is a public package without secrets, so plain read permission for all is given.
    """
    if account is None:
        return
    open_path(root.parent, account, notice)
    changed = 0
    for path in (root, *root.rglob("*")):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            continue
        mode = stat.S_IMODE(status.st_mode)
        wanted = mode | stat.S_IROTH
        if stat.S_ISDIR(status.st_mode) or mode & stat.S_IXUSR:
            wanted |= stat.S_IXOTH
        if wanted != mode:
            path.chmod(wanted)
            changed += 1
    if changed:
        notice(f"made {changed} files of {root} readable, so that PostgreSQL can run as user {account.name}")
