"""What nobody sees in a name makes no second one; `regex` has Unicode's properties, Python none."""

from typing import Annotated

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from plumbline.text import _IGNORABLES, Email, OneLine, Username, fold

username = TypeAdapter[str](Username)
email = TypeAdapter[str](Email)
title = TypeAdapter[str](Annotated[str, OneLine])

# All that is assigned but for private use.
EVERY = "".join(map(chr, [*range(0x34000), *range(0xE0000, 0xE1000)]))
# Unassigned code points included: what nobody sees today stays so in later versions of Unicode.
IGNORABLES = regex.findall(r"\p{Default_Ignorable_Code_Point}", EVERY)
BLANKS = ["\u2800", "\ufffc", "\U00013441", "\U00013442", "\U00016fe4", "\U0001d159"]
SOFT_DOTTED = regex.findall(r"\p{Soft_Dotted}", EVERY)


def test_what_is_ignored_is_what_unicode_ignores() -> None:
    assert "".join(_IGNORABLES.findall(EVERY)) == "".join(IGNORABLES)


def test_nothing_that_unicode_ignores_is_left_in_any_name() -> None:
    assert set(fold(EVERY)) & set(IGNORABLES) == set()


@given(
    st.text(st.sampled_from([*IGNORABLES[:400], *"aàiİjßά·न\u017f\u093f\u0301\u0307\u0323\u0345"]))
)
def test_folding_without_them_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize("unseen", ["\u3164", "\u200b", "\u202e", "\ufe0f", "\U000e0061", "\xad"])
def test_name_with_something_unseen_is_the_name_without(unseen: str) -> None:
    name, address = f"a{unseen}da{unseen}", f"{unseen}ada{unseen}@exa{unseen}mple.com"

    assert username.validate_python(name) == "ada"
    assert email.validate_python(address) == "ada@example.com"


@pytest.mark.parametrize("unseen", [*IGNORABLES[:100:7], *BLANKS, "\u00a0", "\u3000"], ids=ascii)
def test_nobody_and_nothing_is_called_by_what_is_not_seen(unseen: str) -> None:
    for kind, text in (
        (username, unseen * 5),
        (email, f"{unseen}@example.com"),
        (title, unseen * 3),
    ):
        with pytest.raises(ValidationError):
            kind.validate_python(text)


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
def test_what_is_blank_but_not_ignorable_is_refused_in_names(blank: str) -> None:
    for kind, text in ((username, f"ada{blank}"), (email, f"ada{blank}@example.com")):
        with pytest.raises(ValidationError):
            kind.validate_python(text)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("प्रिया", "प्रिया"),
        ("தமிழ்", "தமிழ்"),
        ("ธีรวัฒน์", "ธีรวัฒน์"),
        ("မြန်မာ", "မြန်မာ"),
        ("שָׁלוֹם", "שָׁלוֹם"),
        ("Nguyễn", "nguyễn"),
        ("Marcel·lí", "marcel·lí"),
        ("می\u200cخواهم", "میخواهم"),  # noqa: RUF001
        ("චන්ද්\u200dර", "චන්ද්ර"),
        ("İrem", "irem"),
        ("j\u0307o\u0300an", "jòan"),
    ],
)
def test_names_of_many_scripts_are_accepted(name: str, stored: str) -> None:
    assert username.validate_python(name) == stored


@pytest.mark.parametrize(
    "wrong",
    [
        "\u0301ada",
        "ada.\u0301",
        "12\u0301",
        "a\u0301\u0302\u0303\u0304\u0305\u0306da",
        "ada\u20dd",
        "a\u0488da",
    ],
    ids=ascii,
)
def test_mark_without_a_letter_and_marks_without_end_are_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        username.validate_python(wrong)


@pytest.mark.parametrize("letter", SOFT_DOTTED, ids=ascii)
def test_second_dot_on_a_letter_makes_no_second_name(letter: str) -> None:
    """Dotted and undotted they look alike (Unicode Technical Standard 39, 5.4)."""
    if not ("a" + fold(letter)).isidentifier():
        return

    assert fold(f"{letter}\u0307") == fold(letter)
