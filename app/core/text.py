"""Text from outside: what may be stored, and when two spellings mean the same person."""

import re
import unicodedata
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field

# PostgreSQL stores neither NUL nor half a surrogate pair; terminals and logs obey the rest.
_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff"
_NOT_TEXT = re.compile(f"[{_CONTROLS}]")
_NOT_ONE_LINE = re.compile(f"[{_CONTROLS}\t\n\r\u2028\u2029]")
_NOT_IN_USERNAME = re.compile(r"[^\w.-]")


def fold(text: str) -> str:
    """The one spelling under which names are stored and compared (Unicode's NFKC_Casefold)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _text(text: str) -> str:
    if _NOT_TEXT.search(text):
        raise ValueError("must not contain control characters or half surrogate pairs")
    return text


def _line(text: str) -> str:
    if _NOT_ONE_LINE.search(text):
        raise ValueError("must be one line without control characters")
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _username(text: str) -> str:
    """Letters, digits and `. _ -` of any script; no `@`, so that it is never somebody's e-mail."""
    folded = fold(text)
    if _NOT_IN_USERNAME.search(folded):
        raise ValueError("may contain only letters, digits, '.', '_' and '-'")
    return folded


def _email(text: str) -> str:
    """Own words instead of the library's: those quote what was sent."""
    try:
        # Folding can make an @ or a blank out of another character: what is stored is validated.
        return fold(validate_email(fold(text), check_deliverability=False).normalized)
    except EmailNotValidError:
        raise ValueError("must be an e-mail address, as in name@example.com") from None


# To go with a length: Annotated[str, Field(max_length=200), OneLine].
PlainText = AfterValidator(_text)
OneLine = AfterValidator(_line)

# The longer name is checked again after folding, which can lengthen it.
Username = Annotated[
    str, Field(min_length=3, max_length=50), AfterValidator(_username), Field(max_length=50)
]
Email = Annotated[
    str,
    Field(max_length=255, json_schema_extra={"format": "email"}),
    AfterValidator(_email),
    Field(max_length=255),
]
