"""What the OpenAPI document says of posts; tests/api/test_openapi.py has what holds for all."""

from app.main import app


def test_document_says_what_a_post_takes_and_has() -> None:
    operations = {
        operation["operationId"]: operation
        for methods in app.openapi()["paths"].values()
        for operation in methods.values()
    }
    required = {
        parameter["name"]: parameter["required"]
        for name in ("updatePost", "deletePost")
        for parameter in operations[name]["parameters"]
    }

    assert operations["createPost"]["responses"]["201"]["headers"].keys() >= {"ETag", "Location"}
    assert operations["listPosts"]["security"] == operations["listUserPosts"]["security"] == []
    assert required["If-Match"] is False
