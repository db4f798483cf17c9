"""Single files of a run, and all of them as a zip that is made while it is sent."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import quote
from zipfile import ZIP_DEFLATED

from starlette.responses import Response, StreamingResponse
from zipstream import ZipStream

from ..beneath import Outside, entries, opened

_TEXT = frozenset(
    (
        ".cfg",
        ".csv",
        ".json",
        ".jsonl",
        ".log",
        ".md",
        ".nodes",
        ".txt",
        ".xml",
        ".yaml",
        ".yml",
        "",
    )
)
_CHUNK = 1 << 16

INERT = "sandbox; default-src 'none'; frame-ancestors 'none'"
"""For what somebody else wrote: it is shown, and can do nothing."""

ALONE = (
    "sandbox allow-scripts allow-downloads allow-modals allow-popups; default-src 'none'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For pages of one file: their scripts run, of no origin, so that they reach nothing of ours."""


def file(root: Path, name: str) -> Response:
    """A file below the root as text, or to be saved where it is none. Raises Outside."""
    stream = opened(root, name)
    is_text = PurePosixPath(name).suffix in _TEXT
    headers = {"content-security-policy": INERT}
    if not is_text:
        headers["content-disposition"] = attachment(PurePosixPath(name).name)
    kind = "text/plain; charset=utf-8" if is_text else "application/octet-stream"
    return _sent(stream, kind, headers)


def report(root: Path, name: str) -> Response:
    """A page of one file. Raises Outside."""
    return _sent(opened(root, name), "text/html; charset=utf-8", {"content-security-policy": ALONE})


def _sent(stream: BinaryIO, kind: str, headers: dict[str, str]) -> Response:
    size = stream.seek(0, 2)
    stream.seek(0)
    headers |= {"content-length": str(size)}
    return StreamingResponse(_chunks(stream, size), media_type=kind, headers=headers)


def _chunks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """As many bytes as there were when it was opened: the file may be growing."""
    with stream:
        while size > 0 and (chunk := stream.read(min(_CHUNK, size))):
            size -= len(chunk)
            yield chunk


def zipped(root: Path, run: str) -> Response:
    """All files of a run in a folder of its name; never on disk, and never whole in memory."""
    archive = ZipStream(compress_type=ZIP_DEFLATED, compress_level=1)
    for entry in entries(root, run):
        # A backslash parts folders elsewhere, and a name must be text everywhere.
        name = f"{run}/{entry.name}".replace("\\", "_").encode(errors="replace").decode()
        archive.add(_content(root, f"{run}/{entry.name}"), name)
    headers = {"content-disposition": attachment(f"{run}.zip")}
    return StreamingResponse(archive, media_type="application/zip", headers=headers)


def _content(root: Path, name: str) -> Iterator[bytes]:
    try:
        stream = opened(root, name)
    except Outside:
        return  # Gone since it was listed.
    size = stream.seek(0, 2)
    stream.seek(0)
    yield from _chunks(stream, size)


def attachment(name: str) -> str:
    """To be saved under this name, whatever is in it."""
    return f"attachment; filename*=UTF-8''{quote(name.encode(errors='replace'), safe='')}"
