"""Django with django-ninja: sync views, select_related, cursor pagination, as their docs teach.

One file instead of a project, with only the middleware that an API needs; models for tables that
exist, and psycopg's pool, since persistent connections do not go together with ASGI.
"""

import hashlib
import os
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import django
import orjson
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.db import models
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone

database = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    SECRET_KEY="only signs what this program does not use",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    TIME_ZONE="UTC",
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": database.path.strip("/"),
            "USER": database.username,
            "PASSWORD": database.password,
            "HOST": database.hostname,
            "PORT": database.port,
            "OPTIONS": {"pool": {"min_size": 4, "max_size": 10}},
        }
    },
)
django.setup()

from ninja import NinjaAPI, Schema  # noqa: E402 - needs the settings
from ninja.pagination import CursorPagination, paginate  # noqa: E402
from ninja.renderers import BaseRenderer  # noqa: E402
from ninja.security import HttpBearer  # noqa: E402


class User(models.Model):
    username = models.CharField(max_length=50, unique=True)
    email = models.CharField(max_length=255, unique=True)
    hashed_password = models.CharField(max_length=255)
    is_active = models.BooleanField(default=True)
    role = models.CharField(max_length=20, default="user")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(null=True)

    class Meta:
        app_label, managed, db_table = "bench", False, "users"


class Post(models.Model):
    title = models.CharField(max_length=200)
    content = models.TextField()
    author = models.ForeignKey(User, on_delete=models.CASCADE)
    version = models.BigIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(null=True)

    class Meta:
        app_label, managed, db_table = "bench", False, "posts"


class AccessToken(models.Model):
    digest = models.BinaryField(unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    last_used_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        app_label, managed, db_table = "bench", False, "access_tokens"


class PostIn(Schema):
    title: str
    content: str


class AuthorOut(Schema):
    id: int
    username: str


class PostOut(Schema):
    id: int
    title: str
    content: str
    author: AuthorOut
    version: int
    created_at: Any
    updated_at: Any


class UserOut(Schema):
    id: int
    username: str
    email: str
    role: str
    is_active: bool
    created_at: Any
    updated_at: Any


class ORJSONRenderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:  # noqa: ANN401, ARG002
        return orjson.dumps(data, option=orjson.OPT_UTC_Z)


class Bearer(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> User | None:  # noqa: ARG002
        now = timezone.now()
        found = (
            AccessToken.objects.select_related("user")
            .filter(
                digest=hashlib.sha256(token.encode()).digest(),
                expires_at__gt=now,
                last_used_at__gt=now - timedelta(days=7, minutes=1),
                user__is_active=True,
            )
            .first()
        )
        return found and found.user


class Pages(CursorPagination):
    """ninja's own, under the names that the other contenders give to its fields."""

    items_attribute = "items"

    class Input(Schema):
        limit: int = 20
        cursor: str | None = None

    class Output(Schema):
        items: list[Any]
        next_cursor: str | None

    def paginate_queryset(
        self,
        queryset: Any,  # noqa: ANN401
        pagination: Input,
        request: HttpRequest,
        **params: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        asked = CursorPagination.Input(page_size=pagination.limit, cursor=pagination.cursor)
        page = super().paginate_queryset(queryset, asked, request, **params)
        query = parse_qs(urlsplit(page["next"] or "").query)
        return {"items": page["items"], "next_cursor": query.get("cursor", [None])[0]}


api = NinjaAPI(renderer=ORJSONRenderer())


@api.get("/posts/{post_id}", response=PostOut)
def get_post(request: HttpRequest, post_id: int) -> Post:  # noqa: ARG001
    return get_object_or_404(Post.objects.select_related("author"), id=post_id)


@api.get("/posts", response=list[PostOut])
@paginate(Pages, ordering=("-id",))
def list_posts(request: HttpRequest) -> Any:  # noqa: ANN401, ARG001
    return Post.objects.select_related("author")


@api.post("/posts", response={201: PostOut}, auth=Bearer())
def create_post(request: HttpRequest, payload: PostIn) -> tuple[int, Post]:
    return 201, Post.objects.create(**payload.dict(), author=request.auth)


@api.get("/users/me", response=UserOut, auth=Bearer())
def get_me(request: HttpRequest) -> User:
    return request.auth


urlpatterns = [path("api/v1/", api.urls)]
app = get_asgi_application()
