"""The wire's codec: what one side says the other reads, and nothing else passes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.engine.worker import wire

specs = st.builds(
    wire.TensorSpec,
    name=st.text(max_size=20),
    shape=st.lists(st.integers(1, 512), min_size=1, max_size=4).map(tuple),
    dtype=st.sampled_from(sorted(wire.ITEM_BYTES)),
    scale=st.floats(0, 1, allow_nan=False),
    zero_point=st.integers(-128, 255),
)
messages = st.one_of(
    st.builds(wire.Ready, st.text(max_size=9), st.text(max_size=9), st.text(max_size=9)),
    st.builds(wire.Load, st.integers(0, 127), st.text(max_size=50), st.integers(1, 8)),
    st.builds(wire.Loaded, st.integers(0, 127), st.tuples(specs), st.tuples(specs)),
    st.builds(wire.Failed, st.sampled_from(["model", "runtime"]), st.text(max_size=50)),
    st.builds(wire.Measured, st.floats(0, 9)),
)


@given(messages)
def test_every_message_survives_the_wire(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message)) == message


@given(
    st.one_of(
        st.binary(max_size=200), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(repr).map(str.encode)
    )
)
def test_garbage_is_a_wire_error_and_nothing_else(packet: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(packet)


@given(messages, st.data())
def test_a_message_with_a_field_of_another_kind_is_refused(message: wire.Message, data: st.DataObject) -> None:
    fields = json.loads(wire.encode(message))
    key = data.draw(st.sampled_from(sorted(fields)))
    others = [None, [], {}, [None], {"shape": 1}] + [True] * (not isinstance(fields[key], bool))
    fields[key] = data.draw(st.sampled_from(others))
    if key in {"inputs", "outputs"} and fields[key] == []:
        return  # a model without inputs is a message; the classifier refuses it
    with pytest.raises(wire.WireError):
        wire.decode(json.dumps(fields).encode())


@given(st.lists(specs, min_size=1, max_size=5).map(tuple))
def test_tensors_never_overlap_in_memory(tensors: tuple[wire.TensorSpec, ...]) -> None:
    starts, size = wire.offsets(tensors)
    end = wire.HEADER_BYTES
    for start, spec in zip(starts, tensors, strict=True):
        assert start >= end
        assert start % wire.ALIGNMENT == 0
        end = start + spec.nbytes
    assert end <= size
