"""Make groups.json, the base model's everyday words, from WordNet 3.0 and everyday.yaml.

    python models/base/build_groups.py [--output DIR] [--sources DIR]

Needs PyYAML, and Debian's apt-get and dpkg-deb; the result is committed, so only who changes the words needs to run it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import yaml
from base_model import wordnet
from base_model.groups import EverydayError, Groups
from base_model.sources import SourceError

_HERE = Path(__file__).parent
_ABOUT = """\
groups.json is made from WordNet 3.0 (which classes are kinds of what) and changed by hand (everyday.yaml).
WordNet's licence:

"""


def main() -> int:
    """Build, and return the exit status."""
    parser = argparse.ArgumentParser(description="Build the everyday words of edged's base model.")
    parser.add_argument("--output", type=Path, default=_HERE, help="where the files go (default: beside this script)")
    parser.add_argument("--sources", type=Path, help="a folder that has both packages (default: pip and apt fetch)")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="edged-groups-") as temporary:
            folder = arguments.sources or Path(temporary)
            if arguments.sources is None:
                print("fetching timm with pip and wordnet-base with apt-get")
                wordnet.download(folder)
            groups = _build(wordnet.read_nouns(folder, Path(temporary)), arguments.output)
    except (SourceError, EverydayError) as error:
        print(f"build_groups.py: {error}", file=sys.stderr)
        return 1
    covered = len(set().union(*groups.values()))
    print(f"wrote {arguments.output / 'groups.json'}: {len(groups)} everyday words over {covered} classes")
    return 0


def _build(nouns: wordnet.Nouns, output: Path) -> dict[str, list[int]]:
    everyday = yaml.safe_load((_HERE / "everyday.yaml").read_text(encoding="utf-8"))
    labels = (_HERE / "labels.txt").read_text(encoding="utf-8").splitlines()
    groups = Groups(nouns, labels, everyday["kinds"], everyday["themselves"]).build()
    rows = ",\n".join(f"{json.dumps(text)}: {json.dumps(classes)}" for text, classes in groups.items())
    output.mkdir(parents=True, exist_ok=True)
    (output / "groups.json").write_text(f"{{\n{rows}\n}}\n", encoding="utf-8")
    (output / "LICENSE.groups").write_text(_ABOUT + nouns.licence(), encoding="utf-8")
    return groups


if __name__ == "__main__":
    sys.exit(main())
