"""Garbage for the decoders of commands, statements and saved catalogs: refused, in one way."""

import pytest
from catalogs import HASH, begin, ddl, meta
from delphic.impl.cluster.catalog_machine import CatalogFileError, unframed
from delphic.impl.cluster.commands import (
    Abort,
    Command,
    CommandError,
    Commit,
    Complete,
    FirstUser,
    RemoveUser,
    Replicate,
    Right,
    SetFlag,
    SetRight,
    SetUser,
    Swept,
    decode,
    decode_statement,
    encode,
    encode_statement,
)
from delphic.impl.cluster.operations import Operation
from hypothesis import given
from hypothesis import strategies as st

COMMANDS: tuple[Command, ...] = (
    begin("a", "b"),
    begin(user="u", applied=3, every=True),
    Commit(1, None),
    Commit(1, meta(1, "dfs://db/t/a")),
    Complete(1, 2),
    Abort(1),
    ddl(Operation.CREATE_DOMAIN),
    SetFlag("u", "h", 1, "dfs://db", True, 1),
    SetUser("u", "v", HASH, None),
    RemoveUser(None, "v"),
    SetRight(None, "v", Right.DB_READ, "*", True),
    Swept("n1", (1, 2)),
    Replicate(b"entry"),
    FirstUser("admin", HASH),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_command_is_what_it_was(command: Command) -> None:
    assert decode(encode(command)) == command


@given(st.binary(max_size=200))
def test_any_bytes_are_a_command_or_refused_as_none(data: bytes) -> None:
    try:
        command = decode(data)
    except CommandError:
        return
    assert decode(encode(command)) == command


@given(st.binary(max_size=200))
def test_any_bytes_are_a_statement_or_refused_as_none(data: bytes) -> None:
    try:
        statement = decode_statement(data)
    except CommandError:
        return
    assert decode_statement(encode_statement(statement)) == statement


@given(st.sampled_from(COMMANDS), st.data())
def test_a_command_with_one_byte_changed_is_a_command_or_refused(
    command: Command, data: st.DataObject
) -> None:
    payload = bytearray(encode(command))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] = data.draw(st.integers(0, 255))
    try:
        found = decode(bytes(payload))
    except CommandError:
        return
    assert decode(encode(found)) == found


@given(st.binary(max_size=200))
def test_no_bytes_without_their_checksum_are_a_saved_catalog(data: bytes) -> None:
    with pytest.raises(CatalogFileError):
        unframed(b"\x01" + data, "where")
