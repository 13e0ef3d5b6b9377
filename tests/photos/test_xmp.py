"""Keywords in XMP: ours in and out, all else as it was, hostile XML refused."""

from __future__ import annotations

import itertools
import time
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import sidecars

from edged.errors import SidecarError
from edged.photos.xmp import HIERARCHICAL, LISTS, OURS, SUBJECT, TAGS, Mark, put_keywords, read_mark
from edged.photos.xmp_scan import MOST_DEEP, RDF

CONTAINERS = {f"{{{RDF}}}{name}" for name in ("Bag", "Seq", "Alt")}


def lists(data: bytes) -> dict[str, list[str]]:
    """The photo's keyword lists by a parser that shares nothing with edged's."""
    found: dict[str, list[str]] = {}
    for description in ET.fromstring(data).iter(f"{{{RDF}}}Description"):  # noqa: S314  our own bytes
        for name in (*LISTS, f"{OURS} keywords"):
            space, _, local = name.partition(" ")
            for entry in description.findall(f"{{{space}}}{local}"):
                assert name not in found, f"{name} twice"
                (container,) = entry
                assert container.tag in CONTAINERS
                found[name] = [item.text or "" for item in container]
    return found


def put(data: str | bytes | None, *words: str, model: str = "sha256:a") -> bytes:
    return put_keywords(data.encode() if isinstance(data, str) else data, words, model, "photo.jpg")


def survives(before: bytes, after: bytes) -> bool:
    """Whether all of `before` is in `after`, in order: nothing was taken away or changed, only put in."""
    at = 0
    for byte in before:
        at = after.find(byte, at) + 1
        if not at:
            return False
    return True


def test_new_sidecar_holds_the_keywords_where_all_three_programs_read_them() -> None:
    data = put(None, "Cat", "Dog & fox")
    words = ["Cat", "Dog & fox"]
    assert lists(data) == {SUBJECT: words, HIERARCHICAL: words, f"{OURS} keywords": words}
    assert data.startswith(b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>')
    assert data.rstrip().endswith(b'<?xpacket end="w"?>')
    assert read_mark(data) == Mark("sha256:a", "photo.jpg", ("Cat", "Dog & fox"))


def test_empty_file_is_a_sidecar_that_nobody_has_written_yet() -> None:
    assert read_mark(b"") == Mark()
    assert put(b"", "Cat") == put(None, "Cat")


def test_photo_without_labels_has_a_sidecar_that_says_who_looked() -> None:
    data = put(None)
    assert lists(data) == {}
    assert read_mark(data) == Mark("sha256:a", "photo.jpg")


@pytest.mark.parametrize("name", sidecars.ALL)
def test_every_byte_of_other_programs_stays(name: str) -> None:
    before = sidecars.ALL[name].replace("/>\n</x:xmpmeta>", "></rdf:RDF>\n</x:xmpmeta>").encode()
    after = put(before, "Cat", "Sofa")
    assert survives(before, after)
    assert set(lists(after)[SUBJECT]) >= {"Cat", "Sofa"}


@pytest.mark.parametrize("name", sidecars.ALL)
def test_second_run_replaces_only_ours(name: str) -> None:
    before = sidecars.ALL[name].encode()
    once = put(before, "Cat", "Sofa")
    assert put(once, "Cat", "Sofa") == once
    assert put(once, "Bird", model="sha256:b") == put(before, "Bird", model="sha256:b")
    assert put(once) == put(before)


def test_each_list_that_is_there_is_extended_and_none_is_added() -> None:
    found = lists(put(sidecars.DIGIKAM, "Cat"))
    assert found[TAGS] == ["Places/Norway/Bodø", "People/Ann & Bob", "Cat"]
    assert found[HIERARCHICAL] == ["Places|Norway|Bodø", "People|Ann & Bob", "Cat"]
    assert found[SUBJECT] == ["Bodø", "Ann & Bob", "Cat"]
    assert TAGS not in lists(put(sidecars.LIGHTROOM, "Cat"))


def test_flat_keywords_are_not_hidden_behind_a_list_of_ours() -> None:
    """digiKam and Immich read the first list that has anything in it."""
    assert lists(put(sidecars.FLAT, "Cat")) == {SUBJECT: ["beach", "Cat"], f"{OURS} keywords": ["Cat"]}


def test_what_is_a_keyword_already_is_not_ours_in_whatever_case_or_depth() -> None:
    data = put(sidecars.LIGHTROOM, "Dog", "Holiday", "Cat", "cat")
    assert lists(data)[SUBJECT] == ["holiday", "dog", "Cat"]
    assert lists(data)[HIERARCHICAL] == ["animals|dog", "holiday", "Cat"]
    assert read_mark(data).keywords == ("Cat",)
    assert lists(put(data))[SUBJECT] == ["holiday", "dog"]


def test_keywords_within_others_structures_are_not_the_photos() -> None:
    data = put(sidecars.LIGHTROOM, "Cat")
    assert b'<rdf:li rdf:parseType="Resource"><dc:subject><rdf:Bag><rdf:li>Cat</rdf:li>' in put(data)


def test_keyword_that_the_user_took_out_meanwhile_is_no_trouble() -> None:
    data = put(None, "Cat", "Dog").replace(b"     <rdf:li>Dog</rdf:li>\n", b"", 2)
    assert lists(put(data, "Fox"))[SUBJECT] == ["Fox"]


def test_what_another_program_made_of_our_sidecar_is_understood() -> None:
    """Exiv2 writes it anew: one description, our simple properties as attributes, lists in its own order."""
    rewritten = sidecars.DIGIKAM.replace(
        '   xmp:Rating="5"', '   edged:model="sha256:a"\n   edged:file="photo.jpg"\n   xmp:Rating="5"'
    ).replace("xmlns:dc=", f'xmlns:edged="{OURS}"\n    xmlns:dc=')
    rewritten = rewritten.replace(
        "   <dc:subject>\n    <rdf:Bag>\n",
        "   <edged:keywords>\n    <rdf:Bag>\n     <rdf:li>Cat</rdf:li>\n    </rdf:Bag>\n   </edged:keywords>\n"
        "   <dc:subject>\n    <rdf:Bag>\n     <rdf:li>Cat</rdf:li>\n",
    )
    assert read_mark(rewritten.encode()) == Mark("sha256:a", "photo.jpg", ("Cat",))
    data = put(rewritten, "Fox", model="sha256:b")
    assert read_mark(data) == Mark("sha256:b", "photo.jpg", ("Fox",))
    assert lists(data)[SUBJECT] == ["Bodø", "Ann & Bob", "Fox"]
    assert b"sha256:a" not in data
    assert b'xmp:Rating="5"' in data


def test_label_texts_become_single_keywords_that_xml_can_hold() -> None:
    data = put(
        None, "CD/DVD", "a|b", "  two  words ", "nul\x00 and \x1b[31m", "\ud800", "", "<b>&\"'", "]]>", "ﬁ ☕ 猫"
    )
    assert lists(data)[SUBJECT] == ["CD-DVD", "a-b", "two words", "nul and [31m", "<b>&\"'", "]]>", "ﬁ ☕ 猫"]
    assert put(data, "x") == put(put(None, "x"), "x")


BOMB = "<!DOCTYPE x [<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12)) + "]>"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (BOMB + sidecars.FLAT.partition("?>")[2].replace("beach", "&a11;"), "DOCTYPE"),
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + sidecars.EMPTY.partition("?>")[2], "DOCTYPE"),
        ('<!DOCTYPE x SYSTEM "http://192.0.2.1/x.dtd"><x/>', "DOCTYPE"),
        (sidecars.FLAT.replace("beach", "&e;"), "undefined entity"),
        (sidecars.FLAT[:-9], "not XMP in UTF-8"),
        (sidecars.FLAT.replace("beach", "\x00"), "not XMP in UTF-8"),
        (sidecars.FLAT.replace("'UTF-8'", "'ISO-8859-1'"), "only UTF-8"),
        (sidecars.FLAT.encode("utf-16"), "not XMP in UTF-8"),
        (sidecars.FLAT.encode("latin-1").replace(b"beach", b"\xff\xfe"), "not XMP in UTF-8"),
        ("<html><body>a sidecar?</body></html>", "no rdf:RDF"),
        (b"\xff\xd8\xff\xe0 a photo", "not XMP in UTF-8"),
        (" ", "not XMP in UTF-8"),
        (f"<x>{'<a>' * 100_000}", f"more than {MOST_DEEP} elements within each other"),
        (sidecars.FLAT.replace("<d:subject>", "<d:subject>beach</d:subject><d:title>").replace(
            "</r:Seq></d:subject>", "</r:Seq></d:title>"), "its subject is no list"),
        (sidecars.FLAT.replace("p:City=", "d:subject="), "its subject is no list"),
    ],
)  # fmt: skip
def test_what_cannot_be_changed_without_harm_is_refused(data: str | bytes, said: str) -> None:
    began = time.monotonic()
    with pytest.raises(SidecarError, match=said):
        put(data, "Cat")
    assert time.monotonic() - began < 2


def test_two_megabytes_of_develop_settings_are_no_trouble() -> None:
    masks = "".join(f"<rdf:li>{number}, {number * 7 % 255}</rdf:li>\n" for number in range(60_000))
    data = sidecars.LIGHTROOM.replace("<rdf:li>0, 0</rdf:li>", masks)
    began = time.monotonic()
    assert survives(data.encode(), put(data, "Cat"))
    assert time.monotonic() - began < 5


# Packets that no program wrote: any prefixes, any of the lists in any container, comments, structures, attributes.
WORDS = st.sampled_from(["Cat", "cat", "Dog", "Animals|Cat", "Places/Sea", "été", "a & b", " x ", "Fox", "<b>"])
NAMES = st.sampled_from(
    [SUBJECT, HIERARCHICAL, TAGS, "http://ns.adobe.com/xap/1.0/ Identifier", "urn:other:x/ keywords", f"{RDF} value"]
)
FOREIGN = st.lists(
    st.tuples(NAMES, st.sampled_from(["Bag", "Seq"]), st.lists(WORDS, min_size=1)), unique_by=lambda t: t[0]
)
OURS_NOW = st.lists(st.sampled_from(["Cat", "Dog", "Fox", "Sea", "Sofa", "a & b", "été"]))


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&#62;")


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    space = draw(st.sampled_from(["", "\n", "\r\n  ", "\t"]))
    rdf = draw(st.sampled_from(["rdf:", "r:", ""]))
    number = itertools.count()
    parts = []
    for name, container, words in draw(FOREIGN):
        uri, _, local = name.partition(" ")
        prefix = f"p{next(number)}"
        items = "".join(f"{space}<{rdf}li>{escaped(word)}</{rdf}li>" for word in words)
        note = draw(st.sampled_from(["", "<!-- a note -->", "<?other program?>"]))
        parts.append(
            f'{space}<{prefix}:{local} xmlns:{prefix}="{uri}">{space}{note}<{rdf}{container}>{items}{space}'
            f"</{rdf}{container}></{prefix}:{local}>{note}"
        )
    split = draw(st.integers(0, len(parts)))
    about = draw(st.sampled_from(['q:about=""', "q:about='uuid:1'", 'q:about="" xmlns:o="urn:o/" o:a=\'">/<\'']))
    about = about.replace(">", "&gt;", 1).replace("<'", "&lt;'")
    descriptions = [
        f'{space}<{rdf}Description xmlns:q="{RDF}" {about}>{"".join(some)}{space}</{rdf}Description>'
        for some in (parts[:split], parts[split:])
    ]
    declared = f'xmlns{":" + rdf[:-1] if rdf else ""}="{RDF}"'
    wrapped = f"<{rdf}RDF {declared}>{''.join(descriptions)}{space}</{rdf}RDF>{space}"
    if draw(st.booleans()):
        wrapped = f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{wrapped}</x:xmpmeta>'
    return (draw(st.sampled_from(["", "\ufeff", '<?xml version="1.0" encoding="utf-8"?>\n'])) + wrapped).encode()


@given(packets(), OURS_NOW, OURS_NOW)
def test_foreign_content_survives_whatever_it_is_and_our_past_leaves_no_trace(
    packet: bytes, first: list[str], second: list[str]
) -> None:
    once = put(packet, *first)
    assert survives(packet, once)
    assert put(once, *first) == once
    assert put(once, *second) == put(packet, *second)
    before, after = lists(packet), lists(once)
    for name, words in before.items():
        assert after[name][: len(words)] == words
    leaves = {word.replace("|", "/").split("/")[-1].strip().casefold() for words in after.values() for word in words}
    assert leaves >= {word.casefold() for word in first}
    assert list(read_mark(once).keywords) == after.get(f"{OURS} keywords", [])


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.integers(0, 2000), st.integers(0, 60))
def test_damaged_sidecar_is_refused_or_still_whole_afterwards(rubbish: bytes, at: int, length: int) -> None:
    good = sidecars.DIGIKAM.encode()
    for data in (rubbish or b" ", good[:at] + rubbish + good[at + length :]):
        try:
            after = put_keywords(data, ["Cat"], "sha256:a")
        except SidecarError:
            continue
        assert survives(data, after)
        assert read_mark(after).model == "sha256:a"
