"""Whatever links an image holds, no path of it leads out of the image."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edged.errors import CannotWriteError
from edged.installation.system import System

NAMES = ("a", "b", "c")
PATHS = st.lists(st.sampled_from((*NAMES, "..", ".", "")), min_size=1, max_size=6).map("/".join)
TARGETS = st.tuples(st.sampled_from(("", "/", "../", "/../")), PATHS).map("".join).filter(bool)


@settings(max_examples=300)
@given(links=st.dictionaries(st.sampled_from(NAMES), TARGETS), deeper=TARGETS, wanted=PATHS)
def test_no_path_leads_out_of_the_image(links: dict[str, str], deeper: str, wanted: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve() / "outer" / "image"
        (root / "etc" / "d").mkdir(parents=True)
        for name, target in links.items():
            (root / name).symlink_to(target)
        (root / "etc" / "d" / "x").symlink_to(deeper)
        system = System.at(root)
        for path in (f"/{wanted}/file", f"/etc/d/x/{wanted}", f"/{wanted}/etc/d/x/y"):
            try:
                found = system.path(path)
            except CannotWriteError:
                continue  # round in a circle
            assert found.is_relative_to(root)
            # no folder on the way is a link, which the kernel would follow its own way
            assert not any(parent.is_symlink() for parent in found.parents if parent.is_relative_to(root))
