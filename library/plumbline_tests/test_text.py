import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from plumbline.text import Email, Username, fold

username = TypeAdapter[str](Username)
email = TypeAdapter[str](Email)


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize("spelling", ["alice", "ALICE", "ａｌｉｃｅ", "AlIcE"])  # noqa: RUF001
def test_spellings_of_a_name_are_one(spelling: str) -> None:
    assert username.validate_python(spelling) == "alice"


@pytest.mark.parametrize("wrong", ["a b", "a@b", "ab", "x" * 51, "ß" * 50, "a\u202eb", "a/b", ""])
def test_wrong_user_name_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        username.validate_python(wrong)


@pytest.mark.parametrize(
    "wrong", ["alice", "@b.c", "a@", "a b@c.d", "a@b", "a@b.c\x00", "a\ufe6bb@c.de", "a" * 256]
)
def test_wrong_email_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(ValidationError) as caught:
        email.validate_python(wrong)

    assert caught.value.errors()[0]["msg"] in {
        "Value error, must be an e-mail address, as in name@example.com",
        "String should have at most 255 characters",
    }


@given(st.text(max_size=60))
def test_accepted_user_name_fits_the_column_and_is_no_email(text: str) -> None:
    try:
        accepted = username.validate_python(text)
    except ValidationError:
        return
    assert 3 <= len(accepted) <= 50
    assert "@" not in accepted
    assert fold(accepted) == accepted
