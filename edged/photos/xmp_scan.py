"""Where in an XMP packet's bytes the keywords lie: nothing is built that would have to be written back.

XMP is RDF in XML. Of its many forms only the one that all programs write for keywords is looked for: below `rdf:RDF` an
`rdf:Description`, in it a property, in it an `rdf:Bag` (or Seq or Alt) of `rdf:li` (Adobe's XMP specification, part 1,
7.7: array valued properties). Everything else is somebody else's and is only stepped over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from edged.errors import SidecarError

RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
MOST_DEEP: Final = 200  # elements within elements; the deepest that programs write are about twenty

_CONTAINERS: Final = {f"{RDF} {name}" for name in ("Bag", "Seq", "Alt")}
_ENCODINGS: Final = {"utf-8", "us-ascii", "ascii"}
_TAG: Final = re.compile(rb"""<(?:"[^"]*"|'[^']*'|[^"'>])*>""")
_ATTRIBUTE: Final = re.compile(rb"""\s+([^\s=/>"']+)\s*=\s*("[^"]*"|'[^']*')""")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `start` up to, not including, `end`."""

    start: int
    end: int


@dataclass(slots=True)
class Item:
    """An `rdf:li`. `text` is None for one that holds more than text."""

    span: Span
    text: str | None = ""


@dataclass(slots=True)
class Property:
    """A property of the photo. Names are `namespace local-name`, as expat gives them.

    Attributes:
        container: its array's opening tag.
        closing: where the array's closing tag begins; None where the array is empty and has none.
        text: what stands in it, where it is no array.
    """

    name: str
    span: Span
    items: list[Item] = field(default_factory=list)
    container: Span | None = None
    closing: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A simple property in short form. The span begins with the white space before it; `raw` is quoted."""

    name: str
    value: str
    span: Span
    raw: bytes


@dataclass(slots=True)
class Description:
    """An `rdf:Description`, and what it says of the photo."""

    span: Span
    attributes: list[Attribute]
    properties: list[Property] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Packet:
    """Attributes: rdf: the opening tag of `rdf:RDF`; closing: where its closing tag begins, None where it has none."""

    rdf: Span
    closing: int | None
    descriptions: tuple[Description, ...]


def scan(data: bytes) -> Packet:
    """Find everything.

    Raises:
        SidecarError: no XMP in UTF-8, or XML with a document type: that is where entity bombs and references to other
            files come from, and no program writes one into XMP.
    """
    return _Scanner(data).packet()


class _Scanner:
    """Follows expat through the bytes; `_path` holds what lies around: RDF, Description, Property, its array, Item."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._path: list[object] = []
        self._opened: list[Span] = []  # the opening tag of each element on the path
        self._rdf: Span | None = None
        self._closing: int | None = None
        self._descriptions: list[Description] = []
        self._parser = expat.ParserCreate("UTF-8", " ")
        self._parser.ordered_attributes = True
        self._parser.buffer_text = True
        self._parser.XmlDeclHandler = self._declaration
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    def packet(self) -> Packet:
        if b"\0" in self._data:  # expat would read UTF-16 all the same, by its first bytes
            raise SidecarError("not XMP in UTF-8 (there are zero bytes in it)")
        try:
            self._parser.Parse(self._data, True)  # noqa: FBT003  expat's own signature
        except expat.ExpatError as error:
            raise SidecarError(f"not XMP in UTF-8 ({error})") from error
        if self._rdf is None:
            raise SidecarError("no XMP: there is no rdf:RDF in it")
        return Packet(self._rdf, self._closing, tuple(self._descriptions))

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise SidecarError(f"XML in {encoding}; only UTF-8 can be changed without harm")

    def _doctype(self, *_parts: object) -> None:
        raise SidecarError("XML with a document type (DOCTYPE), which XMP never has: not read for safety's sake")

    def _start(self, name: str, attributes: list[str]) -> None:
        if len(self._path) >= MOST_DEEP:
            raise SidecarError(f"more than {MOST_DEEP} elements within each other: no program's XMP")
        tag = _TAG.match(self._data, self._parser.CurrentByteIndex)
        assert tag is not None  # noqa: S101  expat has read it already
        span = Span(*tag.span())
        around = self._path[-1] if self._path else None
        self._path.append(self._element(name, attributes, span, around))
        self._opened.append(span)

    def _element(self, name: str, attributes: list[str], span: Span, around: object) -> object:
        """What an element is, by what it lies in; its name where it is nothing that is looked for."""
        if name == f"{RDF} RDF" and self._rdf is None:
            self._rdf = span
            return self._rdf
        if around is not None and around is self._rdf and name == f"{RDF} Description":
            self._descriptions.append(Description(span, self._attributes(span, attributes)))
            return self._descriptions[-1]
        if isinstance(around, Description):
            around.properties.append(Property(name, span))
            return around.properties[-1]
        if isinstance(around, Property) and name in _CONTAINERS and around.container is None:
            around.container = span
            return (around,)
        if isinstance(around, tuple) and name == f"{RDF} li":
            (inside,) = around
            inside.items.append(Item(span))
            return inside.items[-1]
        if isinstance(around, Item):
            around.text = None
        return name

    def _end(self, _name: str) -> None:
        element, opened = self._path.pop(), self._opened.pop()
        at, end = None, opened.end
        if not self._data.endswith(b"/>", opened.start, opened.end):
            at = self._parser.CurrentByteIndex
            end = self._data.index(b">", at) + 1
        if element is self._rdf:
            self._closing = at
        elif isinstance(element, tuple):
            (around,) = element
            around.closing = at
        elif isinstance(element, Description | Property | Item):
            element.span = Span(opened.start, end)

    def _characters(self, text: str) -> None:
        element = self._path[-1]
        if isinstance(element, Property) or (isinstance(element, Item) and element.text is not None):
            element.text = (element.text or "") + text

    def _attributes(self, tag: Span, pairs: list[str]) -> list[Attribute]:
        """The names and values, which come in the file's order, beside the bytes. expat gives no xmlns ones."""
        raw = [
            found
            for found in _ATTRIBUTE.finditer(self._data, tag.start, tag.end)
            if found[1] != b"xmlns" and not found[1].startswith(b"xmlns:")
        ]
        return [
            Attribute(name, value, Span(*found.span()), found[2])
            for name, value, found in zip(pairs[::2], pairs[1::2], raw, strict=True)
        ]
