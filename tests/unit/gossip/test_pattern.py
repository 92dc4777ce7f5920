"""Patterns that come from peers: what they mean is what the standard library says, and they never take long."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.gossip.pattern import PATTERN_CHARS_MAX, Pattern, PatternError

_ATOMS = st.sampled_from(["a", "b", "-", ".", r"\d", r"\W", r"\.", "[ab]", "[^a]", "[a-c_]", r"[\d-]", "[]x]"])


def _pieces(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, max_size=3).map("".join),
        st.tuples(inner, inner).map("|".join).map("({})".format),
        # Signs in a row mean something else in the library ("a*?" is lazy), so a repeated piece is a group here.
        st.tuples(inner.map("({})".format), st.sampled_from("*+?")).map("".join),
    )


@given(st.recursive(_ATOMS, _pieces, max_leaves=8), st.text("ab-x1.]", max_size=8))
def test_it_means_what_the_library_says(pattern: str, text: str) -> None:
    """Whatever is made of the known parts, matched against the whole text."""
    if len(pattern) <= PATTERN_CHARS_MAX:
        assert Pattern(pattern).matches(text) == bool(re.fullmatch(pattern, text, re.DOTALL)), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("web", "web", True),
        ("web", "web2", False),
        ("^web.*$", "web2", True),
        ("(db|cache)-[0-9]+", "cache-12", True),
        ("(db|cache)-[0-9]+", "cache-", False),
        ("", "", True),
        (".*", "", True),
        (r"a\$", "a$", True),
        ("a**", "aaa", True),
    ],
)
def test_examples(pattern: str, text: str, matches: bool) -> None:
    """Anchored at both ends, as Serf's."""
    assert Pattern(pattern).matches(text) is matches


@pytest.mark.parametrize(
    "pattern", ["(", ")", "a)", "[", "[a", "*", "a|*", "a{2}", "(?:a)", "(?=a)", r"\1", "\\", "[b-a]", "a^b", "x" * 129]
)
def test_what_is_not_known_is_said(pattern: str) -> None:
    """Nothing that would need to go back and try again, and nothing that is no pattern."""
    with pytest.raises(PatternError):
        Pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["(a+)+b", "(a|a)*b", "(a*)*" * 20 + "b", ".*" * 60 + "b", "(" * 42 + "a" + ")*" * 42]
)
def test_none_takes_long(pattern: str) -> None:
    """The patterns that hang others: a tag's longest value costs milliseconds."""
    began = time.process_time()
    Pattern(pattern).matches("a" * 512)

    assert time.process_time() - began < 1.0
