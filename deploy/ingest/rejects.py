"""The file of lines that `touchline publish` rejected: one per run. It never overwrites a file."""

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from deploy.ingest.reading.files import STDIN, Entry
from schemas.errors import ContractError, TouchlineError


class Rejects:
    """Created with the first rejected line. Only its owner may read it, since it holds personal data.

    Without a path it is `rejects-TIME.jsonl` in the working directory, TIME being the run's start in UTC.
    """

    def __init__(self, path: str | None) -> None:
        """Raise TouchlineError if the path is taken, or in a directory that does not exist."""
        self._named = path is not None
        self.path = Path(path) if path is not None else _name()
        self._file: IO[str] | None = None
        if path is not None and self.path.is_file():
            raise TouchlineError(
                f"{path} is there already: rejects never overwrite a file, so name another with --rejects"
            )
        if path is not None and not self.path.parent.is_dir():
            raise TouchlineError(f"{path} cannot be written: {self.path.parent} is no directory")

    @property
    def written(self) -> bool:
        """Whether a line was rejected."""
        return self._file is not None

    def __enter__(self) -> "Rejects":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, entry: Entry, error: ContractError) -> None:
        """Write one rejected line. Raises TouchlineError if the file cannot be written."""
        line = {
            "file": entry.file, "line": entry.line, "reason": error.reason.value, "error": str(error),
            "text": entry.text,
        }  # fmt: skip
        try:
            if self._file is None:
                self._file = self._create()
            self._file.write(json.dumps(line) + "\n")
        except OSError as fault:
            raise TouchlineError(
                f"{self.path} cannot be written ({fault.strerror}): name another with --rejects"
            ) from fault

    def flush(self) -> None:
        """Let the lines that are written be in the file, whatever becomes of this process."""
        if self._file is not None:
            self._file.flush()

    def _create(self) -> IO[str]:
        # a path that is no regular file, like /dev/null or a pipe, is opened as it is
        new = 0 if self._named and self.path.exists() and not self.path.is_file() else os.O_EXCL
        number = 1
        path = self.path
        while True:
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | new, 0o600)
            except FileExistsError:
                if self._named:
                    raise
                number += 1  # another run of the same second
                path = self.path.with_stem(f"{self.path.stem}-{number}")
            else:
                self.path = path
                return os.fdopen(descriptor, "w", encoding="utf-8")


def check_outputs(outputs: Iterable[Path], inputs: Iterable[str]) -> None:
    """Raise TouchlineError if a file that is going to be written is one that is read."""
    read = [Path(name) for name in inputs if name != STDIN]
    for output in outputs:
        for path in read:
            if output.exists() and path.exists() and output.samefile(path):
                raise TouchlineError(f"{path} would be overwritten by the result: write it somewhere else")


def _name() -> Path:
    return Path(f"rejects-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl")
