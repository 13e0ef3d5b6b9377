"""FlatBuffers: what was written is read; whatever else a file says, the answer is ModelError, and at once."""

from __future__ import annotations

import random
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.errors import ModelError
from edged.models.flatbuffer import Node, Number, Place, Reals, Table, Value, write

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = b"TEST"
RANGES = {"b": (-(2**7), 2**7 - 1), "B": (0, 2**8 - 1), "i": (-(2**31), 2**31 - 1), "I": (0, 2**32 - 1)}
RANGES |= {"q": (-(2**63), 2**63 - 1), "Q": (0, 2**64 - 1)}

texts = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.sampled_from(sorted(RANGES)).flatmap(
    lambda kind: st.builds(Number, st.just(kind), st.integers(*RANGES[kind]))
)
reals = st.builds(Reals, st.lists(st.floats(width=32, allow_nan=False), max_size=4).map(tuple))
leaves: st.SearchStrategy[Value | None] = st.one_of(st.none(), numbers, reals, texts, st.binary(max_size=20))


def nodes(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Node]:
    return st.builds(Node, st.lists(values, max_size=4).map(tuple))


trees = nodes(
    st.recursive(leaves, lambda inner: nodes(inner) | st.lists(nodes(inner), max_size=2).map(tuple), max_leaves=6)
)


def assert_reads(table: Table, node: Node) -> None:
    for slot, value in enumerate(node.slots):
        match value:
            case None:
                assert not table.has(slot)
                assert (table.text(slot), table.table(slot), table.tables(slot)) == ("", None, ())
            case Number(kind, number):
                assert table.integer(slot, kind) == number
            case Reals(numbers):
                assert table.reals(slot) == numbers
            case str():
                assert table.text(slot) == value
            case bytes():
                assert bytes(table.data(slot)) == value
            case Node():
                child = table.table(slot)
                assert child is not None
                assert_reads(child, value)
            case tuple():
                for child, entry in zip(table.tables(slot), value, strict=True):
                    assert isinstance(entry, Node)
                    assert_reads(child, entry)


def walk(table: Table, depth: int = 3) -> None:
    """Read every slot as everything that it might be."""
    for slot in range(min(table.slots() + 1, 12)):
        for read in (table.text, table.texts, table.reals, table.real, table.data, table.count):
            attempt(read, slot)
        attempt(table.integer, slot, "Q")
        attempt(table.integers, slot, "i")
        if depth:
            attempt(walk_children, table, slot, depth)


def walk_children(table: Table, slot: int, depth: int) -> None:
    child = table.table(slot)
    if child is not None:
        walk(child, depth - 1)
    for entry in table.tables(slot)[:3]:
        walk(entry, depth - 1)


def walk_file(data: bytes) -> None:
    walk(Table.root(data, MARK))


def attempt(read: Callable[..., object], *what: object) -> None:
    try:
        read(*what)
    except ModelError as error:
        assert len(str(error)) < 200  # noqa: PT017  either outcome is right


@given(trees)
@settings(max_examples=60, deadline=None)
def test_what_was_written_is_read(tree: Node) -> None:
    assert_reads(Table.root(write(tree, MARK), MARK), tree)


@given(trees, st.sampled_from([4, 16, 64]))
@settings(max_examples=20, deadline=None)
def test_file_is_as_long_as_asked_and_its_bytes_are_aligned(tree: Node, alignment: int) -> None:
    data = write(Node((b"weights", tree)), MARK, alignment)
    assert len(data) % alignment == 0
    place = Table.root(data, MARK).place(0)
    assert place is not None
    assert (place + 4) % 16 == 0


@given(trees, trees)
@settings(max_examples=20, deadline=None)
def test_table_refers_to_what_is_in_the_file_behind(new: Node, old: Node) -> None:
    behind = write(Node((old,)), MARK)
    place = Table.root(behind, MARK).place(0)
    assert place is not None
    whole = write(Node((new, Place(place), (Place(place), new))), MARK, 64) + behind
    root = Table.root(whole, MARK)
    for child in (root.table(1), root.table_at(2, 0)):
        assert child is not None
        assert_reads(child, old)
    assert_reads(root.table_at(2, 1), new)


@given(trees, st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_file_is_an_error_or_some_values(tree: Node, data: st.DataObject) -> None:
    file = bytearray(write(tree, MARK))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(file) - 1))
        junk = data.draw(st.sampled_from([b"\0", b"\xff", b"\xff\xff\xff\xff", b"\0\0\0\x80"]) | st.binary(max_size=4))
        file[at : at + len(junk)] = junk
    file[4:8] = MARK
    attempt(walk_file, bytes(file))


def test_every_beginning_of_a_file_is_an_error_or_some_values() -> None:
    node = Node((Number("q", -5), "text", (Node(("a",)), Node(("b",))), Reals((1.0, 2.0)), Node((b"x" * 30,))))
    file = write(node, MARK)
    for length in range(len(file)):
        attempt(walk_file, file[:length])


def test_random_bytes_are_an_error_or_some_values() -> None:
    rng = random.Random(4)  # noqa: S311  the same every time
    for _ in range(500):
        attempt(walk_file, struct.pack("<I", 8) + MARK + rng.randbytes(rng.randrange(200)))


@pytest.mark.parametrize("data", [b"", b"1234", b"\x08\0\0\0TES", b"\x08\0\0\0WHAT\0\0\0\0"])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match="not a TEST file"):
        Table.root(data, MARK)


@pytest.mark.parametrize(
    "root",
    [0xFFFFFFFF, 0x7FFFFFFF, 12, 9],
    ids=["past the end", "far past the end", "vtable before the start", "not aligned"],
)
def test_root_that_is_nowhere_is_refused(root: int) -> None:
    with pytest.raises(ModelError, match="damaged"):
        Table.root(struct.pack("<I4sIi", root, MARK, 0, 100_000), MARK)


def test_lists_longer_than_the_file_are_refused() -> None:
    data = bytearray(write(Node(("text",)), MARK))
    place = Table.root(bytes(data), MARK).place(0)
    assert place is not None
    struct.pack_into("<I", data, place, 0xFFFFFFFF)
    root = Table.root(bytes(data), MARK)
    for read in (root.text, root.texts, root.data, root.reals, root.tables, root.count):
        with pytest.raises(ModelError, match="longer than the file"):
            read(0)


def test_entry_that_a_list_does_not_have_is_refused() -> None:
    root = Table.root(write(Node(((Node(), Node()),)), MARK), MARK)
    for index in (-1, 2, 2**31):
        with pytest.raises(ModelError, match=f"entry {index} of a list of 2"):
            root.table_at(0, index)


def test_tables_that_share_their_children_without_end_are_refused_in_time() -> None:
    """Ten lists of a thousand references to the next one: a file of 40 KB that holds 10^30 tables."""
    data = write(Node(), MARK, 64)
    for _ in range(10):
        root = struct.unpack_from("<I", data)[0]
        data = write(Node(((Place(root),) * 1000,)), MARK, 64) + data
    assert len(data) < 50_000

    def descend(table: Table) -> None:
        for child in table.tables(0):
            descend(child)

    began = time.monotonic()
    with pytest.raises(ModelError, match=r"more than 100000 tables|more than 4 MB"):
        descend(Table.root(data, MARK))
    assert time.monotonic() - began < 20


def test_texts_that_are_read_without_end_are_refused() -> None:
    table = Table.root(write(Node(("x" * 100_000,)), MARK), MARK)
    for _ in range(40):
        assert table.text(0) == "x" * 100_000
    with pytest.raises(ModelError, match="more than 4 MB"):
        assert [table.text(0), table.text(0)]


def test_text_that_is_not_utf8_is_legible_still() -> None:
    data = write(Node(("caf?",)), MARK).replace(b"caf?", b"caf\xe9")
    assert Table.root(data, MARK).text(0) == "caf\ufffd"


def test_number_where_a_reference_belongs_is_a_fault_of_the_caller() -> None:
    with pytest.raises(TypeError):
        write(Node((None, (Number("b", 1),))), MARK)  # type: ignore[arg-type]
