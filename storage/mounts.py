"""Which kind of filesystem a file lies on, where the system tells (Linux)."""

from __future__ import annotations

from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "9p", "ceph", "lustre", "glusterfs")
)
"""SQLite's WAL needs memory that all who open the file share (sqlite.org/wal.html), and locks that
hold (sqlite.org/lockingv3.html); over these it has neither for certain.
"""
_FUSE = frozenset(
    ("sshfs", "glusterfs", "s3fs", "rclone", "smbnetfs", "davfs", "davfs2", "gcsfuse")
)


def network_of(path: str) -> str:
    """The name of the network filesystem that `path` lies on; "" for a local one, or unknown."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    kind = filesystem(mounts, str(Path(path).absolute().resolve()))
    return kind if kind in NETWORK or kind.removeprefix("fuse.") in _FUSE else ""


def filesystem(mounts: str, path: str) -> str:
    """The type of the mount that holds `path`: the last of those with the longest name."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split()
        if not dash or len(fields) < 5 or not after.split():
            continue
        point = _unescaped(fields[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, kind = len(point), after.split()[0]
    return kind


def _unescaped(name: str) -> str:
    """Blank, tab, newline and backslash stand there in octal (proc(5))."""
    for code, letter in (("040", " "), ("011", "\t"), ("012", "\n"), ("134", "\\")):
        name = name.replace(f"\\{code}", letter)
    return name
