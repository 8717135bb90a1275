"""Values that look real: by the name of a column where it is a text, else by its type."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from mimesis import Generic, Locale, Person
from psycopg.types.json import Json, Jsonb
from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Time,
    Uuid,
)
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.types import TypeEngine

from plumbline.errors import OperatorError
from plumbline.seeding.limits import Limits

TODAY = datetime(2026, 1, 31, 12, tzinfo=UTC)  # fixed, so that a seed gives the same rows always
YEARS = timedelta(days=3 * 365)
LOCALES = (Locale.EN, Locale.DE, Locale.FR, Locale.ES, Locale.PL, Locale.TR, Locale.SV, Locale.IT)
LONG = re.compile(r"(^|_)(content|text|body|bio|description|notes?|summary)$")


class Values:
    """Everything that is drawn for one seed, in the order in which it is asked for."""

    def __init__(self, seed: int, limits: Limits) -> None:
        self._limits = limits
        self.random = Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self._people = [Person(locale, seed=seed) for locale in LOCALES]
        self._generic = Generic(Locale.EN, seed=seed)
        self._by_name = self._texts()

    def person(self) -> tuple[str, str]:
        """A first and a last name, of one of several languages."""
        person = self.random.choice(self._people)
        return person.first_name(), person.last_name()

    def of(self, column: Column[Any]) -> Any:  # noqa: ANN401 - of the column's type
        """A value; OperatorError for a type that is not known, NULL where the column takes it."""
        try:
            most = self._limits.get((str(column.table), column.name))
            return self._of_type(column.type, column.name, most)
        except StopIteration:
            if column.nullable:
                return None
            raise OperatorError(
                f"no value is known for {column}, a {column.type!r}: "
                f'give it in Seeds.rows["{column.table}"]'
            ) from None

    def _texts(self) -> list[tuple[re.Pattern[str], Callable[[], str]]]:
        made, draw = self._generic, self.random
        named: dict[str, Callable[[], str]] = {
            "title|subject|headline": made.text.sentence,
            "first_name": lambda: self.person()[0],
            "last_name|surname": lambda: self.person()[1],
            "full_name|author|owner": lambda: " ".join(self.person()),
            "username|login": self._login,
            "e?mail": lambda: f"{self._login()}@example.com",
            "phone|telephone|mobile": lambda: f"+1 555 01{draw.randrange(100):02}",
            "city|town": made.address.city,
            "country": made.address.country,
            "street|address": made.address.address,
            "company|organisation|organization|publisher": made.finance.company,
            "url|link|website|homepage": lambda: f"https://{made.text.word().lower()}.example.com/",
            "isbn": lambda: f"978{draw.randrange(10**10):010}",
            "code|sku|number|reference": lambda: (
                f"{draw.choice('ABCDEFGH')}{draw.randrange(10**6)}"
            ),
            "colou?r": made.text.color,
            "job|occupation|profession": made.person.occupation,
            "name|label|tag|tags|category": lambda: " ".join(made.text.words(2)).capitalize(),
        }
        return [(re.compile(f"(^|_)({name})$"), make) for name, make in named.items()]

    def _login(self) -> str:
        return f"{self._generic.text.word()}{self.random.randrange(10**6)}".lower()

    def _text(self, name: str, length: int | None) -> str:
        """One line, or for a long text paragraphs; never blank, and never longer than `length`."""
        if LONG.search(name) and (length is None or length >= 500):  # noqa: PLR2004
            parts = range(self.random.randint(1, 4))
            text = "\n\n".join(self._generic.text.text(self.random.randint(2, 6)) for _ in parts)
        else:
            makers = (make for pattern, make in self._by_name if pattern.search(name))
            text = next(makers, self._generic.text.sentence)()
        return text[:length].strip() or "x"

    def _of_type(self, kind: TypeEngine[Any], name: str, most: int | None) -> Any:  # noqa: ANN401
        match kind:
            case Enum():
                return self.random.choice(kind.enums)
            case String():
                lengths = [each for each in (kind.length, most) if each is not None]
                return self._text(name, min(lengths, default=None))
            case ARRAY():
                amount = self.random.randrange(4)
                return [self._of_type(kind.item_type, name, most) for _ in range(amount)]
            case pg.DOMAIN():
                return self._of_type(kind.data_type, name, most)
        make = next(make for known, make in _OF_TYPE.items() if isinstance(kind, known))
        return make(self, kind)

    def number(self, kind: Numeric[Any]) -> Decimal:
        """Of at most five digits."""
        digits, places = min(kind.precision or 5, 5), kind.scale or 0
        return Decimal(self.random.randrange(1, 10**digits)).scaleb(-places)

    def document(self) -> dict[str, Any]:
        """An object of JSON."""
        return {self._generic.text.word(): self.random.randrange(100) for _ in range(3)}

    def moment(self, kind: DateTime | None = None) -> datetime:
        """Within the last years; without a zone where the column has none."""
        moment = TODAY - YEARS * self.random.random()
        return moment if kind is None or kind.timezone else moment.replace(tzinfo=None)


# The first that fits: a Float is a Numeric too, and a JSONB a JSON.
_OF_TYPE: dict[type[TypeEngine[Any]], Callable[[Values, Any], Any]] = {
    pg.JSONB: lambda values, _: Jsonb(values.document()),
    JSON: lambda values, _: Json(values.document()),
    Date: lambda values, _: values.moment().date(),
    DateTime: lambda values, kind: values.moment(kind),
    Time: lambda values, _: values.moment().time(),
    Interval: lambda values, _: timedelta(minutes=values.random.randrange(10_000)),
    Boolean: lambda values, _: bool(values.random.getrandbits(1)),
    Float: lambda values, _: round(values.random.uniform(0, 1000), 2),
    Numeric: lambda values, kind: values.number(kind),
    Integer: lambda values, _: values.random.randint(1, 1000),
    Uuid: lambda values, _: uuid.UUID(int=values.random.getrandbits(128), version=4),
    LargeBinary: lambda values, _: values.random.randbytes(16),
}


def varied(value: Any, number: int, kind: TypeEngine[Any]) -> Any:  # noqa: ANN401
    """Another value, for what must be unique: by the number of its row."""
    match value:
        case str():
            length = getattr(kind, "length", None) or len(value) + 10
            return f"{value[: max(0, length - len(str(number)) - 1)]} {number}".strip()[-length:]
        case Decimal():
            return Decimal(number).scaleb(-(getattr(kind, "scale", None) or 0))
        case datetime():
            return value - timedelta(seconds=number)
        case date():
            return TODAY.date() - timedelta(days=number) - YEARS
    return 1000 + number if isinstance(value, int | float) else value
