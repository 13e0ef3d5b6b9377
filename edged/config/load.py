"""A file to a `Config`, or every error in it at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from edged.config.document import DocumentError, read_document
from edged.config.expand import Expander, locate
from edged.config.messages import dotted, explain
from edged.config.schema import Config
from edged.errors import ConfigError, Finding

DEFAULT: Final = Path("/etc/edged/edged.yaml")
VARIABLE: Final = "EDGED_CONFIG"
LARGEST: Final = 1_000_000
MOST_FINDINGS: Final = 100


def find_config(option: Path | None = None) -> Path:
    """Which file holds the configuration: the option's, `$EDGED_CONFIG`'s, or /etc/edged/edged.yaml.

    It need not exist.
    """
    if option is not None:
        return option
    return Path(os.environ.get(VARIABLE) or DEFAULT)


def load_config(path: Path) -> Config:
    """The configuration in the file `path`; its relative paths start at the file's folder.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong. Holds every finding.
    """
    return parse_config(_read(path), name=str(path), folder=path.absolute().parent)


def parse_config(text: str, *, name: str, folder: Path) -> Config:
    """The configuration in `text`. `name` stands for it in errors; `folder` is where its relative paths start.

    Raises:
        ConfigError: something in it is wrong. Holds every finding, in the order of the lines.
    """
    config, findings = _parse(text, name, folder)
    if config is None or findings:  # raised here, as within `except` it would carry pydantic's error and the values
        raise _refusal(sorted(findings, key=lambda finding: finding.line or 0))
    return config


def line_of(path: Path, *key: str) -> int:
    """The line of a key of the configuration in the file `path`, such as `"model", "name"`; for errors that come later.

    Raises:
        ConfigError: the file cannot be read any more.
    """
    return locate(read_document(_read(path)), key)[0]


def _parse(text: str, name: str, folder: Path) -> tuple[Config | None, list[Finding]]:
    expander = Expander(os.environ)
    try:
        root = read_document(text)
        tree = {} if root is None else expander.value(root)
    except DocumentError as error:
        return None, [Finding(name, error.line, "", error.message)]
    findings = [Finding(name, line, dotted(path), message) for path, line, message in expander.errors]
    known = {path for path, _, _ in expander.errors}
    try:
        config = Config.model_validate(tree, context={"folder": folder})
    except ValidationError as error:
        # a value that is known to be wrong (a variable is missing) needs no second word
        errors = [each for each in error.errors(include_url=False) if each["loc"] not in known]
        return None, findings + explain(errors, root, expander.filled, name)
    return config, findings


def _refusal(findings: list[Finding]) -> ConfigError:
    left_out = len(findings) - MOST_FINDINGS
    if left_out > 0:
        more = Finding(findings[0].file, None, "", f"{left_out} more errors (mend these first)")
        findings = [*findings[:MOST_FINDINGS], more]
    return ConfigError("\n".join(map(str, findings)), tuple(findings))


def _read(path: Path) -> str:
    data = b""
    wrong, line = "", None
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        wrong = "there is no such file (name one with -c FILE; 'edged check --help' has an example)"
    except IsADirectoryError:
        wrong = "is a folder (a file)"
    except PermissionError:
        wrong = "may not be read by this user (change its owner, group or mode)"
    except (OSError, ValueError) as error:  # ValueError: a path that holds a zero byte
        wrong = f"cannot be read: {getattr(error, 'strerror', None) or 'not a path'} (a readable file)"
    if len(data) > LARGEST:
        wrong = f"is larger than {LARGEST // 1_000_000} MB (a configuration is some kilobytes)"
    elif b"\0" in data:
        wrong = "is not text (a YAML file in UTF-8)"
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wrong = wrong or "is not UTF-8 (save it as UTF-8)"
        line = data.count(b"\n", 0, error.start) + 1
    if wrong:
        raise _refusal([Finding(str(path), line, "", wrong)])
    return text
