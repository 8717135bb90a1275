"""The outcome of COMMIT."""

from docs_src.engine import AsyncSessionFactory, Order
from plumbline.db.errors import DATABASE_ERRORS, classify, will_pass
from plumbline.errors import OutcomeUnknown


async def create_order(text: str) -> str:
    try:
        async with AsyncSessionFactory.begin() as db:
            db.add(Order(text=text))
    except DATABASE_ERRORS as error:
        if isinstance(classify(error), OutcomeUnknown):
            return "stored or not: nobody can tell"
        if will_pass(error):
            return "not stored; the same transaction can succeed now"
        raise
    return "stored"
