# syntax=docker/dockerfile:1
# Two stages: the first installs the pinned, hashed requirements, with the extra otlp, into a virtual
# environment; the second has nothing but that environment and the gateway. Runs as a user without rights, and on a
# read-only root: give it a writable /tmp (docker run --read-only --tmpfs /tmp …).
#
# Players reach port 8080. The listener for operators stays on the container's own loopback, port
# 8090, until GATEWAY_ADMIN__HOST or admin.host says otherwise. Name a mounted config with
# GATEWAY_CONFIG=/etc/gateway/gateway.toml.
#
# Give it more time to stop than server.shutdown_grace_s (20): docker stop -t 40, or
# docker run --stop-timeout 40. Docker's own 10 s would cut off answers.
#
# What is in the image is listed in build/sbom.cdx.json (CycloneDX), which `make sbom` writes.

FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/gateway
WORKDIR /src
COPY requirements/image.txt requirements/image.txt
RUN /opt/gateway/bin/pip install --no-deps --require-hashes -r requirements/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY manifests manifests
COPY geodata geodata
COPY demo demo
COPY scripts/missing.py scripts/missing.py
RUN /opt/gateway/bin/pip install --no-deps --no-build-isolation . \
    && /opt/gateway/bin/python scripts/missing.py requirements/image.txt \
    && /opt/gateway/bin/python -m compileall -q /opt/gateway/lib

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home gateway
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GATEWAY_SERVER__HOST=0.0.0.0 \
    GATEWAY_SERVER__PORT=8080
USER 10001
WORKDIR /etc/gateway
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=2s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['GATEWAY_SERVER__PORT']}/readyz\", timeout=1.5)"]
ENTRYPOINT ["gateway"]
CMD ["serve"]
