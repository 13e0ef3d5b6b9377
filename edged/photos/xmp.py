"""Keywords in an XMP packet: ours put in, ours taken out, every other byte as it was.

Which lists a keyword goes into follows from how programs read them. Lightroom reads `dc:subject` and
`lr:hierarchicalSubject`. digiKam and Immich take the first list that has anything in it, of `digiKam:TagsList`,
`lr:hierarchicalSubject` and then others: a list that we add could hide the one that somebody keeps. So:

* every list that is there is extended, and `dc:subject` in any case;
* where nobody has given keywords, `lr:hierarchicalSubject` is written as well: all three programs read it, and
  Lightroom, unlike with `digiKam:TagsList`, keeps it up to date;
* what is a keyword already, in whatever case and at whatever depth, is not ours and is left alone.

What we have put in is remembered in properties of our own, so that the next run takes exactly that out again.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from edged.errors import SidecarError
from edged.photos.xmp_scan import RDF, Packet, Property, Span, scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OURS: Final = "urn:edged:xmp:1/"  # XMP wants a namespace that ends with / or #
SUBJECT: Final = "http://purl.org/dc/elements/1.1/ subject"
HIERARCHICAL: Final = "http://ns.adobe.com/lightroom/1.0/ hierarchicalSubject"
TAGS: Final = "http://www.digikam.org/ns/1.0/ TagsList"
LISTS: Final = (SUBJECT, HIERARCHICAL, TAGS)

_PREFIXES: Final = {SUBJECT: "dc", HIERARCHICAL: "lr"}
_ABOUT: Final = (f"{RDF} about", "about")
_SPACE: Final = b" \t\r\n"
_EMPTY: Final = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="edged">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
""".encode()

Edit = tuple[Span, bytes]


@dataclass(frozen=True, slots=True)
class Mark:
    """What edged says of itself in a packet.

    Attributes:
        model: the digest of the model that saw the keywords; empty: edged has not been here.
        file: whose keywords they are, where several photos might share a sidecar.
        keywords: those that edged has put in.
    """

    model: str = ""
    file: str = ""
    keywords: tuple[str, ...] = ()


def read_mark(data: bytes) -> Mark:
    """What edged has said in a packet before; an empty file is no packet yet. Raises SidecarError, as `scan` does."""
    return _mark(scan(data)) if data else Mark()


def put_keywords(data: bytes | None, keywords: Iterable[str], model: str, file: str = "") -> bytes:
    """A packet with these keywords of ours, in place of those that were ours before.

    Args:
        data: the packet; None, or nothing in it: a new one.
        keywords: label texts, best first.
        model: the digest of the model that saw them.
        file: the photo's file name, percent-encoded.

    Returns:
        The bytes; the same call on them changes nothing more.

    Raises:
        SidecarError: no XMP in UTF-8, or keywords in a form that no program is known to write.
    """
    data = data or _EMPTY
    packet = scan(data)
    _check(packet)
    edits = list(_taken_out(packet, set(_mark(packet).keywords), data))
    gone = [span for span, _ in edits]
    kept = [
        entry
        for description in packet.descriptions
        for entry in description.properties
        if entry.name in LISTS and not _within(entry.span, gone)
    ]
    foreign = {entry.name: _texts(entry, gone) for entry in reversed(kept)}
    known = {_leaf(text).casefold() for texts in foreign.values() for text in texts}
    new = tuple(word for word in _words(keywords) if word.casefold() not in known)
    block = []
    if new:
        first = {entry.name: entry for entry in reversed(kept)}
        edits += [_extended(entry, new, data) for entry in first.values()]
        block += [name for name in (SUBJECT,) if name not in foreign]
        if not any(foreign.values()) and not foreign.keys() & {HIERARCHICAL, TAGS}:
            block.append(HIERARCHICAL)
    edits += _new_block(packet, block, Mark(model, file, new), data)
    return _edited(data, edits)


def _mark(packet: Packet) -> Mark:
    found: dict[str, str] = {}
    keywords: list[str] = []
    for description in packet.descriptions:
        found |= {entry.name: entry.value for entry in description.attributes if entry.name.startswith(f"{OURS} ")}
        for entry in description.properties:
            if entry.name == f"{OURS} keywords":
                keywords += [item.text for item in entry.items if item.text]
            elif entry.name.startswith(f"{OURS} "):
                found[entry.name] = entry.text
    return Mark(found.get(f"{OURS} model", "").strip(), found.get(f"{OURS} file", "").strip(), tuple(keywords))


def _check(packet: Packet) -> None:
    for description in packet.descriptions:
        short = [entry.name for entry in description.attributes if entry.name in LISTS]
        odd = [entry.name for entry in description.properties if entry.name in LISTS and entry.container is None]
        if short or odd:
            name = (short + odd)[0].rpartition(" ")[2]
            raise SidecarError(f"its {name} is no list (rdf:Bag) of keywords, so none can be put in")


def _taken_out(packet: Packet, ours: set[str], data: bytes) -> Iterator[Edit]:
    """What is ours goes, with the white space before it; what holds nothing more then, goes as a whole."""
    for description in packet.descriptions:
        spans = [
            span
            for entry in description.properties
            for span in ([entry.span] if entry.name.startswith(f"{OURS} ") else _ours_in(entry, ours))
        ]
        spans += [entry.span for entry in description.attributes if entry.name.startswith(f"{OURS} ")]
        rest = [entry for entry in description.properties if not _within(entry.span, spans)]
        about = [entry for entry in description.attributes if entry.name in _ABOUT]
        said = [entry for entry in description.attributes if not _within(entry.span, spans)]
        if spans and not rest and len(said) == len(about):
            spans = [description.span]
        for span in spans:
            yield Span(_before_space(data, span.start), span.end), b""


def _ours_in(entry: Property, ours: set[str]) -> list[Span]:
    if entry.name not in LISTS:
        return []
    mine = [item.span for item in entry.items if item.text in ours]
    return [entry.span] if mine and len(mine) == len(entry.items) else mine


def _extended(entry: Property, words: tuple[str, ...], data: bytes) -> Edit:
    """More items at a list's end, indented as its first."""
    assert entry.container is not None  # noqa: S101  `_check` has seen to it
    tag = data[entry.container.start + 1 : entry.container.end].split(None, 1)[0].rstrip(b"/>")
    prefix = tag.rpartition(b":")[0] + b":" if b":" in tag else b""
    if entry.closing is None:
        opened = data[entry.container.start : entry.container.end - 2].rstrip() + b">"
        items = b"".join(_item(prefix, word) for word in words)
        return entry.container, opened + items + b"</" + tag + b">"
    end = _before_space(data, entry.closing)
    first = entry.items[0].span.start if entry.items else entry.closing
    indent = data[_before_space(data, first) : first]
    return Span(end, end), b"".join(indent + _item(prefix, word) for word in words)


def _new_block(packet: Packet, lists: list[str], mark: Mark, data: bytes) -> list[Edit]:
    """A description of our own, last; it brings its namespaces along, whatever the packet calls them."""
    first = packet.descriptions[0] if packet.descriptions else None
    about = next((entry.raw for entry in first.attributes if entry.name in _ABOUT), b'""') if first else b'""'
    indent = data[_before_space(data, first.span.start) : first.span.start] if first else b"\n  "
    names = {"rdf": RDF, **{_PREFIXES[name]: name.partition(" ")[0] for name in lists}, "edged": OURS}
    lines = [b"<rdf:Description rdf:about=" + about]
    lines += [f'  xmlns:{prefix}="{uri}"'.encode() for prefix, uri in names.items()]
    lines[-1] += b">"
    for name in lists:
        lines += _bag(f"{_PREFIXES[name]}:{name.rpartition(' ')[2]}", mark.keywords)
    lines += _bag("edged:keywords", mark.keywords)
    lines += [f" <edged:{key}>{escape(value)}</edged:{key}>".encode() for key, value in _said(mark)]
    block = indent + (indent or b"\n").join([*lines, b"</rdf:Description>"])
    if packet.closing is None:
        opened = data[packet.rdf.start : packet.rdf.end - 2].rstrip()
        tag = opened[1:].split(None, 1)[0]
        return [(packet.rdf, opened + b">" + block + b"</" + tag + b">")]
    end = _before_space(data, packet.closing)
    return [(Span(end, end), block)]


def _said(mark: Mark) -> list[tuple[str, str]]:
    return [(key, value) for key, value in (("model", mark.model), ("file", mark.file)) if value]


def _bag(name: str, words: tuple[str, ...]) -> list[bytes]:
    if not words:
        return []
    items = [b"   " + _item(b"rdf:", word) for word in words]
    return [f" <{name}>".encode(), b"  <rdf:Bag>", *items, b"  </rdf:Bag>", f" </{name}>".encode()]


def _item(prefix: bytes, word: str) -> bytes:
    return b"<%sli>%s</%sli>" % (prefix, escape(word).encode(), prefix)


def _words(texts: Iterable[str]) -> list[str]:
    """Label texts as keywords, each once. `|` and `/` would make a hierarchy of it; XML has no control characters."""
    words: dict[str, str] = {}
    for text in texts:
        plain = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Cn", "Co") else c for c in text)
        word = " ".join(plain.replace("|", "-").replace("/", "-").replace("\\", "-").split())
        if word:
            words.setdefault(word.casefold(), word)
    return list(words.values())


def _texts(entry: Property, gone: list[Span]) -> list[str]:
    return [item.text for item in entry.items if item.text and not _within(item.span, gone)]


def _leaf(text: str) -> str:
    return text.replace("|", "/").rpartition("/")[2].strip()


def _within(span: Span, spans: list[Span]) -> bool:
    return any(around.start <= span.start and span.end <= around.end for around in spans)


def _before_space(data: bytes, at: int) -> int:
    while at and data[at - 1] in _SPACE:
        at -= 1
    return at


def _edited(data: bytes, edits: list[Edit]) -> bytes:
    parts, at = [], 0
    for span, replacement in sorted(edits, key=lambda edit: (edit[0].start, edit[0].end)):
        parts += [data[at : span.start], replacement]
        at = span.end
    return b"".join([*parts, data[at:]])
