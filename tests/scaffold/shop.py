"""A book with a field of most types, and its shelves: what a resource of somebody's own may be."""

from plumbline.scaffold.fields import parse_fields
from plumbline.scaffold.names import Names
from plumbline.scaffold.project import Plan, Project
from plumbline.scaffold.resource import Resource, add_files
from tests.postgres import ROOT

APP = Project(ROOT, "app")
BOOKS, SHELVES = Names("book", "books"), Names("shelf", "shelves")
SHELF = "name:str(100)"
BOOK = (
    "title:str(200) isbn:str(13):unique price:decimal(10,2) published:date? tags:str[] "
    "status:enum(draft,out) details:json author:user shelves:many(shelf)"
)


def add_book(plan: Plan) -> None:
    """Both; a book is its author's to change."""
    add_files(plan, APP, Resource(SHELVES, parse_fields([SHELF]), "public", None))
    fields = parse_fields([BOOK])
    owner = next(field for field in fields if field.name == "author")
    add_files(plan, APP, Resource(BOOKS, fields, "owner", owner))
