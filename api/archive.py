"""The file of a backup: one gzipped tar with a manifest that names every part by size and SHA-256. Not what the parts are (api.backup).

Nothing in an archive is trusted: only parts that the manifest names are read, under names of our own, and each is compared with it."""

import hashlib
import io
import json
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

from evm.store.copies import Contents

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
MANIFEST_BYTES_MAX: Final = 1024 * 1024
PIECE_BYTES: Final = 1024 * 1024


class ArchiveRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """A file that is no whole backup, with the sentence that says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of an archive."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an archive holds. `database`: "sqlite" or "postgresql"; `made_at`: RFC 3339."""

    popback_version: str
    made_at: str
    database: str
    contents: Contents
    files: dict[str, Part]


def write_archive(*, out: Path, manifest: Manifest, parts: dict[str, Path]) -> None:
    """Write the archive whole or not at all, readable by its owner alone. Raises OSError."""
    handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as tar:
                _add(tar, MANIFEST, _text(manifest))
                for name, path in parts.items():
                    tar.add(path, arcname=name, recursive=False, filter=_nobodys)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(out)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def part_of(path: Path) -> Part:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Part(sha256=digest, size_bytes=path.stat().st_size)


def unpack(*, archive: Path, into: Path) -> Manifest:
    """Take every part out into `into` under its own name, compared with the manifest. Raises ArchiveRefused, and OSError (disk full)."""
    with _opened(archive) as tar:
        members = iter(tar)
        manifest = _manifest(archive, tar, next(members, None))
        seen = set()
        for member in members:
            part = manifest.files.get(member.name)
            if part is None or not member.isfile() or member.name in seen:
                raise ArchiveRefused(
                    f"{archive} holds {member.name!r}, which its manifest does not: it is damaged or was changed"
                )
            seen.add(member.name)
            source = tar.extractfile(member)
            assert source is not None
            if _copied(source, into / member.name, part) != part:
                raise ArchiveRefused(
                    f"{archive}: {member.name} is not what its manifest says: it is damaged or was changed; use another backup"
                )
        if missing := sorted(set(manifest.files) - seen):
            raise ArchiveRefused(f"{archive} lacks {', '.join(missing)}: it is damaged; use another backup")
    return manifest


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(archive, mode="r:gz") as tar:
            yield tar
    except FileNotFoundError:
        raise ArchiveRefused(f"{archive} does not exist: name a file that popback backup make wrote") from None
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ArchiveRefused(
            f"{archive} is no whole backup ({error}): it is cut short or damaged; use another one"
        ) from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise ArchiveRefused(
            f"{archive} is no whole backup ({error}): it is cut short or damaged; use another one"
        ) from None


def _manifest(archive: Path, tar: tarfile.TarFile, first: tarfile.TarInfo | None) -> Manifest:
    if first is None or first.name != MANIFEST or not first.isfile() or first.size > MANIFEST_BYTES_MAX:
        raise ArchiveRefused(f"{archive} is no backup of popback: name a file that popback backup make wrote")
    source = tar.extractfile(first)
    assert source is not None
    try:
        said: dict[str, Any] = json.loads(source.read())
        if said.pop("format") != FORMAT:
            raise ArchiveRefused(
                f"{archive} is of another version of popback: restore it with the version that wrote it, or a newer one"
            )
        contents = Contents(**said.pop("contents"))
        files = {_safe(name): Part(**part) for name, part in said.pop("files").items()}
        return Manifest(contents=contents, files=files, **said)
    except ArchiveRefused:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArchiveRefused(
            f"{archive}: its manifest cannot be read ({error}): it is damaged; use another backup"
        ) from None


def _safe(name: str) -> str:
    if Path(name).name != name or name in {"", ".", ".."}:
        raise ValueError(f"{name!r} is no name of a part")
    return name


def _copied(source: IO[bytes], to: Path, part: Part) -> Part:
    """Copy at most what the manifest allows, and say what it was."""
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while size <= part.size_bytes and (piece := source.read(PIECE_BYTES)):
            digest.update(piece)
            size += len(piece)
            file.write(piece)
    return Part(sha256=digest.hexdigest(), size_bytes=size)


def _text(manifest: Manifest) -> bytes:
    return json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1).encode()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o600
    tar.addfile(info, io.BytesIO(content))


def _nobodys(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without this machine's users."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o600
    return info
