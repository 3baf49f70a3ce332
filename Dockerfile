# The image of every Nearcast container in compose.yaml: the project with its Java, Spark's jars and their class data,
# so that nothing is fetched when it runs.
FROM python:3.11.14-slim-bookworm AS build

ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never \
    NEARCAST_CACHE=/opt/nearcast/cache
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /opt/nearcast
# The packages first: they change more rarely than the source, and take most of the time and the space.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-project
COPY . .
RUN uv sync --frozen --no-dev \
    && .venv/bin/python -m nearcast.local.jars \
    && .venv/bin/python -m nearcast.local.class_data \
    && ls .venv/class-data/*.jsa

FROM python:3.11.14-slim-bookworm

# LightGBM's wheel takes OpenMP's library from the system.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends 'libgomp1=12.2.*' \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 nearcast \
    && useradd --uid 10001 --gid 10001 --create-home nearcast \
    && install --directory --owner=nearcast --group=nearcast --mode=700 /var/lib/nearcast
COPY --from=build /opt/nearcast /opt/nearcast
ENV PATH=/opt/nearcast/.venv/bin:$PATH \
    NEARCAST_CACHE=/opt/nearcast/cache \
    NEARCAST_HOME=/var/lib/nearcast \
    PYTHONUNBUFFERED=1
WORKDIR /opt/nearcast
USER 10001:10001
# What is healthy differs from service to service: compose.yaml has the checks.
ENTRYPOINT ["python", "-m", "nearcast.local.container"]
CMD ["--help"]
