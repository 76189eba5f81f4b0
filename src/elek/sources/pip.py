"""The configuration of pip on this machine: indexes, proxy, certificates."""

from __future__ import annotations

import ast
import ssl
import subprocess
import sys

from elek.errors import SourceError


def pip_configuration() -> dict[str, str]:
    """pip's options as `pip download` would see them: files first, then PIP_* variables.

    Raises SourceError where this environment has no pip.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise SourceError(
            f"pip does not tell its configuration: {reason}",
            where=sys.executable,
            fix="`python -m ensurepip` installs pip into this environment",
        )
    found: dict[str, dict[str, str]] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if value:
            found.setdefault(section, {})[key.removeprefix("default-")] = str(ast.literal_eval(value))
    return {key: value for section in ("global", "download", ":env:") for key, value in found.get(section, {}).items()}


def certificates(path: str) -> ssl.SSLContext:
    """The certificates in a file that pip trusts. Raises SourceError where it cannot be read."""
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # SSLError too
        raise SourceError(
            f"the certificates that pip is configured with cannot be read: {error.strerror or error}",
            where=path,
            fix="correct `cert` in `pip config list`",
        ) from None
