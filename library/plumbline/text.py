"""Text from outside: what may be stored, and when two spellings mean the same person."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

# PostgreSQL does not store NUL; terminals and logs obey the rest. What is half of a surrogate pair
# is no text for pydantic, either.
_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_TEXT = f"^[^{_CONTROLS}]*$"
_ONE_LINE = rf"^[^{_CONTROLS}\t\n\r\u2028\u2029]*$"

# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt, 17.0), which Python does not
# have: soft hyphens, fillers, joiners, bidi controls, variation selectors, tags. Nobody sees them.
_IGNORABLE = (
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Not ignorable, and blank all the same: of Braille, hieroglyphs, Khitan, music; object replacement.
_BLANK = r"\u2800\ufffc\U00013441\U00013442\U00016fe4\U0001d159"
_IGNORABLES = re.compile(f"[{_IGNORABLE}]+")
_HAS_BLANK = re.compile(f"[{_BLANK}]")
_VISIBLE = rf"[^\s{_IGNORABLE}{_BLANK}]"
# Letters that have a dot already do not show another (Unicode's Soft_Dotted, as folded).
_SECOND_DOT = re.compile(
    "(?<=[ij\u012f\u0249\u0268\u029d\u03f3\u0456\u0458\u1d96\u1e2d\u1ecb\U0001df1a])\u0307+"
)
# In categories (L: letter, n: nonspacing mark, c: other mark): a mark without a letter, or more
# marks above and below one letter than a line has room for (Unicode Technical Standard 39, 5.4).
_WRONG_MARKS = re.compile("(?<![Lnc])[nc]|n{5}")
_MARKS = {"Mn": "n", "Mc": "c", "Me": "c"}

USERNAME_MIN_LENGTH = 3


def fold(text: str) -> str:
    """The one spelling under which names are stored and compared: Unicode's NFKC_Casefold.

    What nobody sees is no part of it. Joiners change the shape of Persian or Sinhala letters, and
    are dropped like the rest (UAX 31, 2.3): such a name may be typed with them and without. More
    than Unicode's: a dot on a letter that shows one anyway is dropped too.
    """
    text = unicodedata.normalize("NFKC", _IGNORABLES.sub("", text)).casefold()
    return unicodedata.normalize("NFKC", _SECOND_DOT.sub("", unicodedata.normalize("NFKC", text)))


@dataclass(frozen=True)
class TextPattern:
    """What a text must match, and what to say if not; pydantic checks it without calling Python.

    `patterns` are regular expressions of Rust's regex crate, each with a code and a message.
    """

    patterns: tuple[tuple[str, str, str], ...]

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """After the checks of the type itself."""
        checks = [
            core_schema.custom_error_schema(
                core_schema.str_schema(pattern=pattern), code, custom_error_message=message
            )
            for pattern, code, message in self.patterns
        ]
        return core_schema.chain_schema([handler(source), *checks])


def _username(text: str) -> str:
    """Words of any script (UAX 31) with `.` and `-`; no `@`, so that it is never an e-mail."""
    folded = fold(text)
    word = folded.replace(".", "").replace("-", "")
    if not f"x{word}".isidentifier() or _HAS_BLANK.search(word) or _has_wrong_marks(folded):
        raise ValueError("may contain only letters, digits, '.', '_' and '-'")
    if len(folded) < USERNAME_MIN_LENGTH:
        raise ValueError(f"must have at least {USERNAME_MIN_LENGTH} characters that can be seen")
    return folded


def _has_wrong_marks(text: str) -> bool:
    """Vowels and tones of Hindi, Thai or Tamil are marks; each belongs to a letter."""
    categories = map(unicodedata.category, text)
    kinds = "".join(_MARKS.get(category, category[0]) for category in categories)
    return _WRONG_MARKS.search(kinds) is not None


def _email(text: str) -> str:
    """Own words instead of the library's: those quote what was sent."""
    try:
        # Folding can make an @ or a blank out of another character: what is stored is validated.
        folded = fold(validate_email(fold(text), check_deliverability=False).normalized)
    except EmailNotValidError:
        folded = ""
    if not folded or _HAS_BLANK.search(folded):
        raise ValueError("must be an e-mail address, as in name@example.com")
    return folded


@dataclass(frozen=True, slots=True)
class ComposedLength:
    """A text that is composed (NFC) and then counted: what its hash is made of, as for passwords.

    `bounds` gives the least and the most characters. It is asked for each text, and when the API
    document is made, so that they may be settings: nothing reads those at import.
    """

    bounds: Callable[[], tuple[int, int]]

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Around the check that it is a text."""
        return core_schema.no_info_wrap_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """With the bounds of this moment."""
        least, most = self.bounds()
        return {**handler(schema), **({"minLength": least} if least else {}), "maxLength": most}

    def _check(self, value: object, validate: Callable[[object], str]) -> str:
        least, most = self.bounds()
        # A composed character has four decomposed at the most (UAX 15, 9); sorting the marks of a
        # text takes the square of its length, so what will be refused is left alone.
        if isinstance(value, str) and len(value) <= 4 * most:
            value = unicodedata.normalize("NFC", value)
        text = validate(value)
        if len(text) < least:
            raise PydanticKnownError("string_too_short", {"min_length": least})
        if len(text) > most:
            raise PydanticKnownError("string_too_long", {"max_length": most})
        return text


# To go with a length: Annotated[str, Field(max_length=200), OneLine].
PlainText = TextPattern(
    (
        (
            _TEXT,
            "control_characters",
            "must not contain control characters or half surrogate pairs",
        ),
    )
)
# Invisible characters may be in it: joiners and directions belong to words of many scripts.
OneLine = TextPattern(
    (
        (_ONE_LINE, "control_characters", "must be one line without control characters"),
        (_VISIBLE, "blank", "must not be blank"),
    )
)

# The longer name is checked again after folding, which can lengthen it.
Username = Annotated[
    str,
    Field(min_length=USERNAME_MIN_LENGTH, max_length=50),
    AfterValidator(_username),
    Field(max_length=50),
]
Email = Annotated[
    str,
    Field(max_length=255, json_schema_extra={"format": "email"}),
    AfterValidator(_email),
    Field(max_length=255),
]
