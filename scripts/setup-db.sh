#!/bin/sh
# PostgreSQL at the URL below: by Docker where an engine answers, else the embedded one.
set -eu
cd "$(dirname "$0")/.."

write_env() {
    if [ -e .env ]; then
        echo ".env exists and stays as it is"
    else
        echo "DATABASE_URL=postgresql+asyncpg://postgres:postgres@localhost:5432/app" >.env
        echo "wrote .env"
    fi
}

if docker info >/dev/null 2>&1; then
    if docker container inspect fastapi-db >/dev/null 2>&1; then
        docker start fastapi-db
    else
        docker run -d \
            --name fastapi-db \
            -e POSTGRES_USER=postgres \
            -e POSTGRES_PASSWORD=postgres \
            -e POSTGRES_DB=app \
            -p 5432:5432 \
            postgres:18-alpine
    fi
    write_env
    echo "next: make run (PostgreSQL needs a few seconds); docker stop fastapi-db stops it"
else
    make --silent setup
    write_env
    echo "no Docker: the embedded PostgreSQL runs here; next, in another terminal: make run"
    echo "should it say a port other than 5432 below, write that one into .env"
    exec .venv/bin/app postgres
fi
