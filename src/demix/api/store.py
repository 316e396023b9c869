"""Where files of jobs lie: a folder, or anything that fsspec knows by URL. One prefix for each job, gone with it."""

import contextlib
import secrets
from pathlib import Path
from typing import BinaryIO, cast

import fsspec

from demix.api.jobs import ID
from demix.errors import DemixError

INPUT = "input"
READ_BYTES = 1 << 20  # read ahead of what is asked for, where files are far away


class Store:
    """Files under `<root>/<job id>/`; every name in there is the server's own, none a client's.

    Args:
        url: a folder, or a URL such as `s3://bucket/prefix`.

    Raises:
        DemixError: for a URL of which fsspec knows nothing, or whose library is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            self._files, root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError, OSError) as error:
            raise DemixError(
                f"DEMIX_STORAGE_URL: cannot be used ({error}); name a folder or s3://bucket/prefix"
            ) from error
        self._root = str(root).rstrip("/")
        if self.is_local:
            Path(self._root).mkdir(parents=True, exist_ok=True)

    @property
    def is_local(self) -> bool:
        """Whether files lie on this machine."""
        return "file" in _protocols(self._files)

    def put(self, job_id: str, name: str, path: Path) -> None:
        """Store a file; on this machine it is moved, not copied, where that can be done."""
        target = self._place(job_id, name)
        if self.is_local:
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            try:
                path.replace(target)
            except OSError:  # another disk
                pass
            else:
                return
        self._copy(path, target)

    def put_folder(self, job_id: str, folder: Path) -> None:
        """Store all files below a folder under their relative names: all of them, or none."""
        names: list[str] = []
        try:
            for path in sorted(each for each in folder.rglob("*") if each.is_file()):
                names.append(path.relative_to(folder).as_posix())
                self.put(job_id, names[-1], path)
        except BaseException:
            for name in names:  # else they would fill a disk that is full for as long as the job is kept
                self.remove_file(job_id, name)
            raise

    def fetch(self, job_id: str, name: str, path: Path) -> None:
        """Copy a stored file to a local path.

        Raises:
            FileNotFoundError: when there is none.
        """
        self._files.get_file(self._place(job_id, name), str(path))

    def has(self, job_id: str, name: str) -> bool:
        """Whether there is such a file."""
        self._files.invalidate_cache()
        return bool(self._files.isfile(self._place(job_id, name)))

    def size(self, job_id: str, name: str) -> int:
        """Return a file's size in bytes.

        Raises:
            FileNotFoundError: when there is none.
        """
        self._files.invalidate_cache()
        return int(self._files.size(self._place(job_id, name)))

    def open(self, job_id: str, name: str) -> BinaryIO:
        """Open a stored file to read, from any place in it.

        Raises:
            FileNotFoundError: when there is none.
        """
        return cast("BinaryIO", self._files.open(self._place(job_id, name), "rb", block_size=READ_BYTES))

    def remove_file(self, job_id: str, name: str) -> None:
        """Remove one file; nothing happens when there is none."""
        self._files.invalidate_cache()
        try:
            self._files.rm_file(self._place(job_id, name))
        except FileNotFoundError:
            return

    def remove(self, job_id: str) -> None:
        """Remove all files of a job; nothing happens when there are none."""
        place = self._place(job_id, "")
        self._files.invalidate_cache()
        try:
            self._files.rm(place, recursive=True)
        except FileNotFoundError:
            return

    def job_ids(self) -> set[str]:
        """Return the ids under which something is stored."""
        self._files.invalidate_cache()
        try:
            found = self._files.ls(self._root, detail=False)
        except FileNotFoundError:
            return set()
        return {name for name in (str(each).rstrip("/").rsplit("/", 1)[-1] for each in found) if ID.fullmatch(name)}

    def ping(self) -> None:
        """Write and remove a file.

        Raises:
            OSError: when that fails.
        """
        place = f"{self._root}/.ready-{secrets.token_hex(8)}"
        self._files.pipe_file(place, b"")
        self._files.rm_file(place)

    def _copy(self, path: Path, target: str) -> None:
        """Copy a file; nothing of it stays when that fails."""
        try:
            self._files.put_file(str(path), target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(target)
            raise

    def _place(self, job_id: str, name: str) -> str:
        if not ID.fullmatch(job_id) or ".." in name.split("/") or name.startswith("/"):
            raise FileNotFoundError(f"{job_id}/{name}")
        return f"{self._root}/{job_id}/{name}".rstrip("/")


def _protocols(files: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
