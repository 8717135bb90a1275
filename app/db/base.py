"""Base of all models."""

from typing import ClassVar

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from plumbline.db.base import NAMING_CONVENTION, TYPES, Timestamps

__all__ = ["Base", "Timestamps"]


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar = TYPES
