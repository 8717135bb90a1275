"""Users and posts, as the lesson has them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import ForeignKey, String, Text, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from plumbline import create_engine, install, session_factory


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env")

    DATABASE_URL: str = "postgresql+asyncpg://postgres:postgres@localhost:5432/app"
    DEBUG: bool = False


settings = Settings()

engine = create_engine(
    settings.DATABASE_URL,
    echo=settings.DEBUG,
    pool_size=10,
    max_overflow=20,
    pool_pre_ping=True,
)
AsyncSessionFactory = session_factory(engine)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(50), unique=True)


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text)
    author_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", deferrable=True, initially="DEFERRED")
    )


async def get_db() -> AsyncIterator[AsyncSession]:
    """Dependency: yield a DB session per request."""
    async with AsyncSessionFactory() as session:
        try:
            yield session
            await session.commit()
        except Exception:
            await session.rollback()
            raise


Db = Annotated[AsyncSession, Depends(get_db, scope="function")]


class PostCreate(BaseModel):
    title: str
    content: str
    author_id: int


class PostRead(PostCreate):
    model_config = ConfigDict(from_attributes=True)

    id: int


router = APIRouter(prefix="/posts")


@router.post("", status_code=201)
async def create_post(db: Db, body: PostCreate) -> PostRead:
    post = Post(**body.model_dump())
    db.add(post)
    await db.flush()
    return PostRead.model_validate(post)


@router.get("")
async def list_posts(db: Db) -> list[PostRead]:
    posts = await db.scalars(select(Post).order_by(Post.id))
    return [PostRead.model_validate(post) for post in posts]


@router.get("/{post_id}")
async def get_post(db: Db, post_id: int) -> PostRead:
    post = await db.get(Post, post_id)
    if post is None:
        raise HTTPException(404, "There is no such post.")
    return PostRead.model_validate(post)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
app.include_router(router)
install(app)
