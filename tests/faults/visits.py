"""What people do on the service."""

from plumbline_tests.faults.wire import Answer, Wire


async def write(wire: Wire, title: str = "Hello") -> Answer:
    return await wire.post("/api/v1/posts", {"title": title, "content": "World"})
