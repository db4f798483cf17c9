"""Files that others may read at any moment: written beside, and put in place as a whole."""

from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from .errors import WorldError


def put(path: Path, data: bytes) -> None:
    """Make a file, or another one instead of what bears its name; no link is followed.

    Whoever reads it meanwhile finds the old one, whoever writes it meanwhile is not disturbed, and
    what fails leaves nothing. Raises WorldError.
    """
    unfinished = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        with unfinished.open("xb") as stream:
            stream.write(data)
        unfinished.replace(path)
    except OSError as error:
        raise WorldError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink()
