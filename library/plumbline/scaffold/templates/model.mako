"""${names.words[1].capitalize()}."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy import (
    ARRAY, BigInteger, Boolean, Date, DateTime, Double, Enum, ForeignKey, Identity, Index, Numeric,
    String, Text, Uuid
)
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ${package}.db.base import Base
from plumbline.db.base import Versioned

% for name, labels in enums:
${name} = Literal[${labels}]
% endfor

% for link in links:

class ${link.class_name}(Base):
    __tablename__ = "${link.table}"

    ${names.one}_id: Mapped[int] = mapped_column(ForeignKey("${names.many}.id", ondelete="CASCADE"), primary_key=True)
    ${link.key}: Mapped[int] = mapped_column(ForeignKey("${link.target.table}.id", ondelete="CASCADE"), primary_key=True, index=True)

% endfor

class ${names.class_name}(Versioned, Base):
    __tablename__ = "${names.many}"
% if indexes:
    __table_args__ = (${" ".join(f'Index(None, "{name}", "id"),' for name in indexes)})
% endif

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
% for each in columns:
    ${each.column}
% endfor
% for link in links:

    ${link.relation}: Mapped[list[${link.class_name}]] = relationship(
        cascade="all, delete-orphan", lazy="selectin", order_by=${link.class_name}.${link.key}
    )
    ${link.ids}: AssociationProxy[list[int]] = association_proxy(
        "${link.relation}", "${link.key}", creator=lambda ${link.key}: ${link.class_name}(${link.key}=${link.key})
    )
% endfor
