"""Resources that nobody thought of, by a seed: all types, marks, references and rules."""

import random
from collections.abc import Iterator

from plumbline.scaffold.fields import Field, parse_field
from plumbline.scaffold.names import Names, plural_of
from plumbline.scaffold.resource import Resource

# Legal, and odd: names that Python, SQL, pydantic or HTTP use for something else.
ONES = (
    *("category", "leaf", "bus", "box", "child", "analysis", "hero", "wolf", "city", "branch"),
    *(
        "value",
        "index_entry",
        "happening",
        "message",
        "key_ring",
        "test_case",
        "session_note",
        "day",
    ),
    *("toy", "view_count", "model_year", "app_log", "lens", "quiz", "dish", "hash_tag", "thesis"),
    *("proxy", "axis", "window_seat", "left_hand", "cell", "mass", "potato", "knife", "class_room"),
    *(
        "import_run",
        "type_face",
        "name",
        "sea_lane",
        "request_log",
        "ox",
        "data_point",
        "foot",
        "spare_part",
    ),
)
FIELDS = (
    *("title", "type", "kind", "format", "key", "value", "vals", "data", "hash", "name", "text"),
    *("number", "amount", "at", "count", "index", "owner", "a", "x1", "input", "min", "max", "sum"),
    *(
        "req",
        "resp",
        "state",
        "path",
        "url",
        "body",
        "query_text",
        "license",
        "email",
        "ip",
    ),
    *("position", "rank_no", "level", "lang", "operator", "object", "filter", "sorted", "row", "t"),
)
PLAIN = (
    *("str(40)", "text", "text(500)", "int", "decimal(10,2)", "decimal(5,0)", "decimal(3,3)"),
    *("float", "bool", "date", "datetime", "uuid", "json", "enum(a)", "enum(new,in use,A.1)"),
    *("str[]", "str(9)[]", "text[]", "int[]", "decimal(6,1)[]", "float[]", "bool[]", "date[]"),
    *("datetime[]", "uuid[]", "user"),
)
CAN_BE_UNIQUE = {"str(40)", "int", "decimal(10,2)", "date", "datetime", "uuid"}
DEFAULTS = {
    "str(40)": "in use",
    "text": "",
    "int": "-7",
    "decimal(10,2)": "0.50",
    "float": "0.5",
    "decimal(5,0)": "12345",
    "decimal(3,3)": "0.125",
    "bool": "true",
    "date": "2026-01-31",
    "enum(a)": "a",
    "enum(new,in use,A.1)": "in use",
}
CAN_BE_INDEXED = {*CAN_BE_UNIQUE, "float", "enum(new,in use,A.1)"}


def resources(seed: int, count: int) -> Iterator[Resource]:
    """Each may refer to those before it."""
    chance, there = random.Random(seed), list[str]()
    for one in chance.sample(ONES, count):
        yield _resource(chance, one, there)
        there.append(one)


def _resource(chance: random.Random, one: str, there: list[str]) -> Resource:
    names = [name.strip("_") for name in chance.sample(FIELDS, chance.randint(1, 9))]
    words = [f"{name}:{_type(chance, there)}" for name in names]
    access = chance.choice(["owner", "public", "admin"])
    fields = [parse_field(word) for word in words]
    owner: Field | None = None
    if access == "owner":
        owner = parse_field("whose:user")
        fields.insert(chance.randint(0, len(fields)), owner)
    if chance.random() < 0.3:
        fields.append(parse_field(f"above:{one}?"))
    targets = chance.sample(there, min(len(there), chance.choice([0, 0, 1, 2])))
    fields += [parse_field(f"{plural_of(target)}:many({target})") for target in targets]
    return Resource(Names(one, plural_of(one)), tuple(fields), access, owner)


def _type(chance: random.Random, there: list[str]) -> str:
    kind = chance.choice([*PLAIN, *there])
    optional = chance.choice(["", "?"])
    marks = [""]
    marks += [":unique"] if kind in CAN_BE_UNIQUE else []
    marks += [":index"] if kind in CAN_BE_INDEXED else []
    mark = chance.choice(marks)
    if kind in DEFAULTS and not optional and mark != ":unique" and chance.random() < 0.3:
        mark += f":default({DEFAULTS[kind]})"
    return f"{kind}{optional}{mark}"
