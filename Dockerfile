# The service, without a compiler or pip, run by a user who may write nowhere.
#
#   docker build --build-arg BUILD_REVISION="$(git rev-parse --short HEAD)" --tag app .
#   docker run app               serves, on port 8000
#   docker run app db upgrade    migrates: a step of its own, before the new version serves
# hadolint global ignore=DL3008
# (Debian has one version of each package: a pin would fail at its next security fix.)
FROM debian:trixie-slim AS system
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/*

FROM system AS build
WORKDIR /build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-pip \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv --without-pip /service
COPY requirements/production.txt requirements/
RUN pip --python /service install --no-cache-dir --only-binary :all: \
    --require-hashes --requirement requirements/production.txt
COPY pyproject.toml README.md LICENSE ./
COPY library library
COPY app app
RUN pip --python /service install --no-cache-dir --no-deps ./library .

FROM system
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin service
COPY --from=build /service /service
WORKDIR /srv
ENV PATH=/service/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    ENVIRONMENT=production
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python3", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
# Which build it is, in /metrics; last, so that the layers before it are kept.
ARG BUILD_REVISION=""
ENV BUILD_REVISION=$BUILD_REVISION
ENTRYPOINT ["app"]
CMD ["serve", "--host", "0.0.0.0"]
