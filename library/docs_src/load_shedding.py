"""Load shedding and retries."""

from fastapi import FastAPI

from plumbline import HttpSettings, install_load_shedding, install_problems

app = FastAPI()

install_problems(app)  # says which failures run again
install_load_shedding(app, HttpSettings(MAX_RUNNING_REQUESTS=100, MAX_BODY_BYTES=10_485_760))
