"""Work on threads of its own."""

from argon2 import PasswordHasher

from plumbline import BoundedExecutor

hashing = BoundedExecutor("argon2", threads=1, waiting=lambda: 16)


async def hash_password(password: str) -> str:
    return await hashing.run(lambda: PasswordHasher().hash(password))
