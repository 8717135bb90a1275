"""Cases of the proofs, as pytest collects them."""

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from plumbline.testing.cases import in_order


class Base(DeclarativeBase): ...


class Shelf(Base):
    __tablename__ = "shelves"

    id: Mapped[int] = mapped_column(primary_key=True)


class Book(Base):
    __tablename__ = "books"

    id: Mapped[int] = mapped_column(primary_key=True)


def test_models_are_in_the_same_order_in_each_process() -> None:
    mappers = list(Base.registry.mappers)

    orders = [in_order(mappers), in_order(reversed(mappers))]

    assert [[each.class_ for each in order] for order in orders] == [[Book, Shelf]] * 2
