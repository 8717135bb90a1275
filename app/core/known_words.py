"""Words that anybody tries in a password: where it is used, and when it was made.

zxcvbn takes three words in a row for 10^8 guesses, whatever words they are: `PlumblineSummer2026`
would do. Those who guess begin with the name of the service (NIST SP 800-63B-4, 3.1.1.2) and the
time of the year. So both are taken out, and what is left must be strong by itself.
"""

import re
from functools import cache
from urllib.parse import urlsplit

from app.core.config import SERVICE_NAME, settings

# Seasons in English, German, French, Spanish, Italian, Portuguese and Dutch; months and days.
_TIMES = """
spring summer autumn fall winter frühling fruehling sommer herbst printemps été hiver automne
primavera verano otoño otono invierno estate autunno inverno verão verao outono zomer herfst lente
january february march april may june july august september october november december
monday tuesday wednesday thursday friday saturday sunday
""".split()  # noqa: SIM905 - a list of words reads best as words
_YEARS = "(?:19|20)[0-9]{2}"
_LOOK_ALIKES = {
    "a": "4@",
    "b": "8",
    "e": "3",
    "g": "9",
    "i": "1!|",
    "l": "1|",
    "o": "0",
    "s": "5$",
    "t": "7+",
    "z": "2",
}
_MIN_LETTERS = 4  # of a part of the host's name: `www` and `com` say nothing


def _of_the_service() -> list[str]:
    host = urlsplit(settings.BASE_URL).hostname or ""
    parts = re.findall(rf"[^\W\d_]{{{_MIN_LETTERS},}}", host)
    return [SERVICE_NAME.lower(), *parts]


def _disguised(word: str) -> str:
    return "".join(
        f"[{letter}{re.escape(_LOOK_ALIKES[letter])}]" if letter in _LOOK_ALIKES else letter
        for letter in word
    )


@cache
def _known_word() -> re.Pattern[str]:
    words = sorted([*_of_the_service(), *_TIMES], key=len, reverse=True)
    known = "|".join(map(_disguised, words))
    return re.compile(rf"[\W_]{{0,2}}(?:{known}|{_YEARS})[\W_]{{0,2}}", re.IGNORECASE)


def without_known_words(password: str) -> str:
    """What is left without such words, without years, and without what sets them off."""
    return _known_word().sub("", password)
