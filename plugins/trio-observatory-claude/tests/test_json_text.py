"""JSON that is changed in place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st
from observatory_claude.json_text import NotJsonError, Style, add, check, drop, put, style_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.text(min_size=1), VALUES)
INDENTS = st.sampled_from([None, "", " ", "  ", "\t", "    "])
ENDS = st.sampled_from(["\n", "\r\n"])


def laid_out(value: Any, indent: str | None, end: str, *, ascii: bool) -> str:
    """Write a value in one of the ways in which people do."""
    return json.dumps(value, indent=indent, ensure_ascii=ascii).replace("\n", end)


@given(OBJECTS, INDENTS, ENDS, st.booleans(), VALUES)
def test_put(settings: dict[str, Any], indent: str | None, end: str, ascii: bool, value: Any) -> None:
    """A member that is new is there, all the rest is as it was, and without it the text is what it was."""
    settings.pop("ours", None)
    text = laid_out(settings, indent, end, ascii=ascii)
    changed = put(text, ["ours", "deep"], value, style_of(text))
    assert check(changed) == {**settings, "ours": {"deep": value}}
    assert drop(changed, ["ours"]) == text


@given(st.lists(VALUES), INDENTS, ENDS, VALUES)
def test_add(values: list[Any], indent: str | None, end: str, value: Any) -> None:
    """An element that is new comes last, and without it the text is what it was."""
    text = laid_out({"a": 1, "list": values}, indent, end, ascii=True)
    changed = add(text, ["list"], value, style_of(text))
    assert check(changed) == {"a": 1, "list": [*values, value]}
    assert drop(changed, ["list", len(values)]) == text


@given(OBJECTS.filter(bool), INDENTS, st.data())
def test_drop(settings: dict[str, Any], indent: str | None, data: st.DataObject) -> None:
    """Whichever member goes, the others stay in their order."""
    key = data.draw(st.sampled_from(sorted(settings)))
    left = drop(laid_out(settings, indent, "\n", ascii=False), [key])
    assert list(check(left).items()) == [(name, value) for name, value in settings.items() if name != key]


def test_layout() -> None:
    """What is new is laid out as what is there, in lines that end like its lines."""
    text = '{\r\n\t"model": "opus",\r\n\t"list": []\r\n}'
    assert put(text, ["a", "b"], [1], style_of(text)) == (
        '{\r\n\t"model": "opus",\r\n\t"list": [],\r\n\t"a": {\r\n\t\t"b": [\r\n\t\t\t1\r\n\t\t]\r\n\t}\r\n}'
    )
    assert put('{"a": 1}', ["b"], {"c": [1]}, style_of('{"a": 1}')) == '{"a": 1, "b": {"c": [1]}}'
    assert put("{}", ["b"], 1, style_of("{}")) == '{\n  "b": 1\n}'
    assert put('{"a": 1}', ["a"], 2, Style()) == '{"a": 2}'


def test_numbers_and_escapes_stay() -> None:
    """What is not ours is not written anew, however it was written."""
    text = r'{"a": 1.0e+3, "b": "\u00e9\/", "c":[ 1,2 ], "d": 123456789012345678901234567890}'
    assert put(text, ["e"], 1, style_of(text)) == text[:-1] + ', "e": 1}'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{\n  "a": 1,\n}', r"line 3 column 1: .*property name"),
        ('{\n  // why\n  "a": 1}', r"line 2 column 3: .*property name"),
        ('{"a": 1}}', r"line 1 column 9: Extra data"),
        ('{"a": NaN}', r"NaN is no JSON"),
        ('{"b": 1,\n "a": [{"x": 1}, {"x": 1,\n  "x": 2}]}', r"line 3 column 3: the key 'x' stands there twice"),
        ("[" * 200_000, r"it nests too deep"),
    ],
)
def test_no_json(text: str, problem: str) -> None:
    """What is no JSON is refused, with line and column."""
    with pytest.raises(NotJsonError, match=problem):
        check(text)
