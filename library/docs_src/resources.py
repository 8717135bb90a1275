"""A resource as `add resource` writes it: what the service and the API have of the library."""

from fastapi import Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from docs_src.engine import Db
from docs_src.models import Product
from plumbline.db.rows import CheckVersion, Values, change_row, lock_row
from plumbline.http.resources import Patch, tagged
from plumbline.http.routing import IfMatch, PathId, Payload, resource

router = resource("products")


class ProductCreate(Payload):
    price: float = Field(ge=0)


class ProductUpdate(Patch, ProductCreate):
    """Fields that are absent stay as they are."""


async def change_product(
    db: AsyncSession, product_id: int, check_version: CheckVersion, changes: Values
) -> Product:
    product = await lock_row(db, Product, product_id)  # NotFound; nobody else changes it now
    check_version(product.version)  # Stale, unless If-Match names this version
    return await change_row(db, product, changes)


@router.patch("/{product_id}", response_model=None)
async def update_product(
    db: Db, product_id: PathId, check_version: IfMatch, body: ProductUpdate, response: Response
) -> None:
    """The answer has the ETag; its document has 404, 412 and 428 by what the route takes."""
    product = await change_product(db, product_id, check_version, body.changes())
    tagged(response, product)
