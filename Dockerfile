# `--target service` and `simulator`; `web`, the chat page; `load`, which calls; `ratelimit`, Envoy's rate limit service.
# All come from locks or pinned versions, run as nobody in particular, and write nothing: their root may be read-only.

FROM python:3.13-slim AS base
# Nothing is built after this line, so nothing that installs is needed.
RUN pip uninstall --yes --quiet --root-user-action=ignore pip
WORKDIR /app
# By number: Kubernetes can tell that it is not root.
USER 10001:10001

# --- what is installed, apart from what runs ------------------------------------------------------------------------

FROM python:3.13-slim AS service-packages
COPY requirements/service.lock requirements/
# Wheels only: a compiler would be one more thing that the image depends on.
RUN pip install --quiet --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
      --no-deps --require-hashes --only-binary=:all: --prefix=/packages --requirement requirements/service.lock
COPY service /app/service
# The root is read-only later, so bytecode is made now; and never looked up again, since sources do not change.
RUN python -m compileall -q --invalidation-mode unchecked-hash /app

FROM python:3.13-slim AS simulator-packages
COPY requirements/simulator.lock requirements/
RUN pip install --quiet --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
      --no-deps --require-hashes --only-binary=:all: --prefix=/packages --requirement requirements/simulator.lock
COPY simulator /app/simulator
RUN python -m compileall -q --invalidation-mode unchecked-hash /app

FROM node:24-slim AS page
WORKDIR /page
COPY clients/typescript/package.json clients/typescript/package-lock.json clients/typescript/.npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
COPY clients/typescript/tsconfig.json ./
COPY clients/typescript/src src
COPY clients/typescript/examples/web examples/web
RUN npx esbuild examples/web/main.ts --bundle --format=esm --outfile=examples/web/app.js --log-level=warning

FROM golang:1.26 AS ratelimit-program
# It has no releases: a commit. Go compares what it downloads with its checksum database.
RUN CGO_ENABLED=0 GOBIN=/out go install \
      github.com/envoyproxy/ratelimit/src/service_cmd@v1.4.1-0.20260122083618-3fb702589d36

# --- what runs ------------------------------------------------------------------------------------------------------

FROM base AS simulator
COPY --from=simulator-packages /packages /usr/local
COPY --from=simulator-packages /app /app
EXPOSE 8400
HEALTHCHECK --interval=5s --timeout=5s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8400/sim/stats', timeout=3)"]
ENTRYPOINT ["python", "-m", "simulator", "--host", "0.0.0.0", "--port", "8400"]

FROM base AS web
COPY --from=page /page/examples/web/*.html /page/examples/web/*.css /page/examples/web/app.js /page/
EXPOSE 8080
# Files only: Envoy passes on to it what is no call, so page and calls share one origin.
HEALTHCHECK --interval=5s --timeout=5s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/', timeout=3)"]
ENTRYPOINT ["python", "-m", "http.server", "8080", "--directory", "/page"]

FROM base AS load
COPY --from=service-packages /packages /usr/local
COPY clients/python/trunkline /app/trunkline
COPY tools/__init__.py tools/load.py /app/tools/
ENTRYPOINT ["python", "-m", "tools.load"]

FROM base AS ratelimit
COPY --from=ratelimit-program /out/service_cmd /usr/local/bin/ratelimit
EXPOSE 8081
HEALTHCHECK --interval=5s --timeout=5s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthcheck', timeout=3)"]
ENTRYPOINT ["ratelimit"]

# The last stage is what `docker build .` makes.
FROM base AS service
COPY --from=service-packages /packages /usr/local
COPY --from=service-packages /app /app
COPY deploy/healthcheck.py /app/deploy/
# Loopback would be of no use in a container. The service still refuses to start on it without authentication, unless it
# is configured to trust the network.
ENV TRUNKLINE_LISTEN=0.0.0.0:50051
# Otherwise grpc core writes what a peer sends into the log.
ENV GRPC_VERBOSITY=NONE
EXPOSE 50051
HEALTHCHECK --interval=5s --timeout=5s --retries=3 CMD ["python", "deploy/healthcheck.py"]
# No shell in between: SIGTERM reaches the service itself, which drains.
ENTRYPOINT ["python", "-m", "service"]
