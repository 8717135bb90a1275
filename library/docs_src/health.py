"""Health and metrics."""

from fastapi import FastAPI

from docs_src.engine import engine, settings
from plumbline import Readiness, install_health

app = FastAPI()

install_health(app, Readiness(engine, settings))
