"""The first lines of README.md."""

from fastapi import FastAPI

DATABASE_URL = "postgresql://postgres:postgres@localhost:5432/app"
app = FastAPI()

import plumbline  # noqa: E402

engine = plumbline.create_engine(DATABASE_URL)  # timeouts, a fair pool, commits that tell the truth
AsyncSessionFactory = plumbline.session_factory(engine)  # an async_sessionmaker

plumbline.install(app)  # after the routes
