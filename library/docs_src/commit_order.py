"""require_commit_before_response."""

from fastapi import FastAPI

from docs_src.engine import Db, Order
from plumbline import require_commit_before_response

app = FastAPI()


@app.post("/orders")
async def create_order(db: Db, text: str) -> None:
    db.add(Order(text=text))


require_commit_before_response(app)
