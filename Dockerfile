# Two images: `service`, the gRPC server, and `triton`, NVIDIA's Triton with the model repository.
#
#   docker build --target service --tag relatent-service .
#   docker build --target triton --tag relatent-triton .
#
# Both run as a user without rights and on a read-only root file system:
#
#   docker run --read-only --publish 8500:8500 relatent-service

ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm
# 24.10 is Triton 2.51, which the wheel for embedded use is as well.
ARG TRITON_IMAGE=nvcr.io/nvidia/tritonserver:24.10-py3


FROM ${PYTHON_IMAGE} AS build
RUN python3 -m venv /opt/relatent
COPY pyproject.toml /src/
# The dependencies by themselves, as they change less often than the code; without the wheel that carries a
# Triton of its own and 40 packages more, since Triton has an image here.
RUN python3 -c "import tomllib; project = tomllib.load(open('/src/pyproject.toml', 'rb'))['project']; \
    extras = project['optional-dependencies']; \
    wanted = project['dependencies'] + extras['serve'] + extras['redis'] + extras['tracing']; \
    print(*(line for line in wanted if not line.startswith('nvidia-pytriton')), sep='\n')" > /src/requirements.txt \
    && /opt/relatent/bin/pip install --no-cache-dir --requirement /src/requirements.txt
COPY README.md LICENSE /src/
COPY relatent /src/relatent
COPY service /src/service
RUN /opt/relatent/bin/pip install --no-cache-dir --no-deps /src


# Readable for every user, whatever the rights of the files were where the image is built.
FROM ${PYTHON_IMAGE} AS models
COPY packs /srv/relatent/packs
COPY model_repository /srv/relatent/model_repository
RUN chmod --recursive a+rX /srv/relatent


FROM ${PYTHON_IMAGE} AS service
COPY --from=build /opt/relatent /opt/relatent
COPY --from=models /srv/relatent /srv/relatent
WORKDIR /srv/relatent
ENV PATH=/opt/relatent/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RELATENT_LISTEN=0.0.0.0:8500 \
    RELATENT_METRICS_LISTEN=0.0.0.0:8501
USER 65532:65532
EXPOSE 8500 8501
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s \
    CMD ["python3", "-P", "-m", "relatent_service.probe"]
ENTRYPOINT ["python3", "-P", "-m", "relatent_service"]


FROM ${TRITON_IMAGE} AS triton
COPY --from=models /srv/relatent/model_repository /models
USER 65532:65532
EXPOSE 8001 8002
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s \
    CMD ["curl", "--fail", "--silent", "http://127.0.0.1:8000/v2/health/ready"]
CMD ["tritonserver", "--model-repository=/models", "--disable-auto-complete-config", "--http-address=127.0.0.1", "--metrics-address=0.0.0.0"]
