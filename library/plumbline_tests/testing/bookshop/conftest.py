"""The bookshop, as plumbline.testing has to know it."""

import uuid
from datetime import date
from decimal import Decimal

from plumbline.testing.service import ServiceUnderTest, World
from plumbline_tests.testing.bookshop.main import app, engine, migrations, sessions
from plumbline_tests.testing.bookshop.models import Base, Book, Genre

ISBN = "9780141439518"


async def make_world() -> World:
    async with sessions.begin() as db:
        db.add(
            Book(
                isbn=ISBN,
                title="Emma",
                price=Decimal(9),
                published_on=date(1815, 12, 23),
                edition=uuid.uuid4(),
                genre=Genre.NOVEL,
                tags=[],
                details={},
            )
        )
    return World({"anonymous": {}, "staff": {"Authorization": "Bearer staff"}}, {"isbn": ISBN})


def pytest_plumbline_service() -> ServiceUnderTest:
    return ServiceUnderTest(
        app=app,
        migrations=migrations,
        engine=engine,
        sessions=sessions,
        models=Base,
        world=make_world,
        allowed={"anonymous": ["staff", "anonymous"], "staff": ["staff"]},
        values={"isbn": "9780141439525"},
        rows={"shop.books": {"isbn": ISBN}},
    )
