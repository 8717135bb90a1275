"""Request context, headers and logs."""

from fastapi import FastAPI

from plumbline import HttpSettings, configure_logging, install_request_context


def create_app() -> FastAPI:
    configure_logging(production=True)  # JSON lines on standard error
    app = FastAPI()
    install_request_context(app, HttpSettings(BASE_URL="https://api.example.com"))
    return app
