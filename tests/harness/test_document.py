"""Texts that are no scenario, however they are wrong: refused with file and line, never a crash."""

import pytest
from complaints import HEAD, complaint
from delphic.harness.language.document import parse


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("log", "must be a mapping of keys to values, not 'log'; write {name: log}"),
        ("[log]", "must be a mapping of keys to values, not ['log']"),
        ("lgo", "must be a mapping of keys to values, not 'lgo'"),
        ("7", "must be a mapping of keys to values, not 7"),
        ("", "must be a mapping of keys to values, not None"),
    ],
)
def test_a_workload_that_is_no_mapping_is_refused(raw: str, said: str) -> None:
    assert complaint(HEAD.replace("{name: log}", raw)) == f"my.yaml:2: workload: {said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: \x07\n", "my.yaml:2: not YAML: the character '\\x07' is not allowed"),
        ("[" * 3_000, "my.yaml: nested too deeply"),
        ('a: 1\nseed: !!int ""\n', "my.yaml:2: seed: '' is no int"),
        ("seed: !!int _\n", "my.yaml:1: seed: '_' is no int"),
        ('seed: !!float ""\n', "my.yaml:1: seed: '' is no float"),
        ("trace: !!bool maybe\n", "my.yaml:1: trace: 'maybe' is no bool"),
        ("at: !!timestamp foo\n", "my.yaml:1: at: 'foo' is no timestamp"),
        ('a: 1\ntitle: "\\ud800"\n', "my.yaml:2: title: '\\ud800' has half a character"),
        (
            'cluster: {config: {"\\ud800": 1}}\n',
            "my.yaml:1: a key: '\\ud800' has half a character",
        ),
    ],
)
def test_what_yaml_cannot_be_read_as_is_told_with_its_line(text: str, said: str) -> None:
    assert complaint(text) == said


def test_aliases_that_would_fill_the_memory_are_refused() -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    assert complaint(f"a0: &a0 x\n{levels}").endswith(
        ": too many values: aliases repeat them too often"
    )


def test_a_long_text_is_read() -> None:
    assert len(parse("- a\n" * 1_000, "my.yaml").data) == 1_000


def test_a_character_that_json_writes_in_two_halves_is_one() -> None:
    assert parse('{"\\ud83d\\ude00": "\\ud83d\\ude00!"}', "my.yaml").data == {"😀": "😀!"}
