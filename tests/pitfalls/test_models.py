"""Every model of the service is safe from the pitfalls of columns and relationships."""

from app.db.base import Base


def test_every_model_with_a_value_set_on_update_fetches_it_at_once() -> None:
    changing = {
        mapper.class_.__name__: mapper.eager_defaults
        for mapper in Base.registry.mappers
        if any(column.onupdate or column.server_onupdate for column in mapper.columns)
    }

    assert "User" in changing
    assert all(eager is True for eager in changing.values()), changing


def test_every_relationship_of_the_app_refuses_to_load_lazily() -> None:
    strategies = {
        str(relationship): relationship.lazy
        for mapper in Base.registry.mappers
        for relationship in mapper.relationships
    }

    assert "AccessToken.user" in strategies
    assert set(strategies.values()) == {"raise_on_sql"}, strategies
