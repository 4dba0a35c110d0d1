# Three images, each of which runs as a user without rights and on a read-only root file system:
#
#   service     the gRPC server, before Tritons (RELATENT_TRITON), or with a model repository mounted
#   triton      NVIDIA's Triton, with the model repository
#   standalone  the server with the model repository and a Triton embedded, for one machine
#
#   docker build --target service --tag relatent-service .
#   docker run --read-only --env RELATENT_TRITON=gpu1:8001 --publish 8500:8500 relatent-service
#
# `make images` builds all three without a container engine, and measures them: docs/deploy.md.

ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm
# 24.10 is Triton 2.51, which the wheel for embedded use is as well.
ARG TRITON_IMAGE=nvcr.io/nvidia/tritonserver:24.10-py3
ARG VERSION=0.2.0
ARG REVISION=unknown
# When the revision was made, so that one revision makes one image: RFC 3339.
ARG CREATED=1970-01-01T00:00:00Z


FROM ${PYTHON_IMAGE} AS build
RUN python3 -m venv /opt/tools && /opt/tools/bin/pip install --no-cache-dir cyclonedx-bom==7.5.0 \
    && python3 -m venv --without-pip /opt/relatent
# The dependencies by themselves, as they change less often than the code; without what runs graphs, which is
# elsewhere. Versions and digests are those that scripts/lock_images.py took.
COPY deploy/images/service.txt /src/
RUN /opt/tools/bin/pip --python /opt/relatent/bin/python install --no-cache-dir --no-deps --require-hashes \
    --requirement /src/service.txt
COPY pyproject.toml README.md LICENSE /src/
COPY relatent /src/relatent
COPY service /src/service
RUN /opt/tools/bin/pip --python /opt/relatent/bin/python install --no-cache-dir --no-deps /src
COPY scripts/sbom.py /src/


FROM build AS build-standalone
COPY deploy/images/standalone.txt /src/
RUN /opt/tools/bin/pip --python /opt/relatent/bin/python install --no-cache-dir --no-deps --require-hashes \
    --requirement /src/standalone.txt


# Readable for every user, whatever the rights of the files were where the image is built.
FROM ${PYTHON_IMAGE} AS models
COPY packs /srv/relatent/packs
COPY model_repository /srv/relatent/model_repository
RUN chmod --recursive a+rX /srv/relatent


# What is in each image, in CycloneDX.
FROM build AS service-bill
ARG VERSION
COPY --from=models /srv/relatent/packs /srv/relatent/packs
RUN /opt/tools/bin/python -P /src/sbom.py --name relatent-service --version "${VERSION}" --system / \
    --environment /opt/relatent --packs /srv/relatent/packs --out /sbom.cdx.json

FROM build-standalone AS standalone-bill
ARG VERSION
COPY --from=models /srv/relatent /srv/relatent
RUN /opt/tools/bin/python -P /src/sbom.py --name relatent-standalone --version "${VERSION}" --system / \
    --environment /opt/relatent --packs /srv/relatent/packs --graphs /srv/relatent/model_repository --out /sbom.cdx.json

FROM ${TRITON_IMAGE} AS triton-base

FROM build AS triton-bill
ARG VERSION
COPY --from=models /srv/relatent/model_repository /srv/relatent/model_repository
COPY --from=triton-base /var/lib/dpkg/status /system/var/lib/dpkg/status
COPY --from=triton-base /usr/lib/os-release /system/usr/lib/os-release
RUN /opt/tools/bin/python -P /src/sbom.py --name relatent-triton --version "${VERSION}" --system /system \
    --graphs /srv/relatent/model_repository --out /sbom.cdx.json


FROM ${PYTHON_IMAGE} AS server
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


FROM server AS service
COPY --from=build /opt/relatent /opt/relatent
COPY --from=models /srv/relatent/packs packs
COPY --from=service-bill /sbom.cdx.json /usr/share/doc/relatent/sbom.cdx.json
ARG PYTHON_IMAGE
ARG VERSION
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.title="relatent-service" \
    org.opencontainers.image.description="GAN inversion and editing over gRPC, before Triton" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.base.name="${PYTHON_IMAGE}" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}"


FROM server AS standalone
COPY --from=build-standalone /opt/relatent /opt/relatent
COPY --from=models /srv/relatent .
COPY --from=standalone-bill /sbom.cdx.json /usr/share/doc/relatent/sbom.cdx.json
ARG PYTHON_IMAGE
ARG VERSION
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.title="relatent-standalone" \
    org.opencontainers.image.description="GAN inversion and editing over gRPC, with an embedded Triton" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.base.name="${PYTHON_IMAGE}" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}"


FROM triton-base AS triton
COPY --from=models /srv/relatent/model_repository /models
COPY --from=triton-bill /sbom.cdx.json /usr/share/doc/relatent/sbom.cdx.json
USER 65532:65532
EXPOSE 8001 8002
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s \
    CMD ["curl", "--fail", "--silent", "http://127.0.0.1:8000/v2/health/ready"]
CMD ["tritonserver", "--model-repository=/models", "--disable-auto-complete-config", "--http-address=127.0.0.1", "--metrics-address=0.0.0.0"]
ARG TRITON_IMAGE
ARG VERSION
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.title="relatent-triton" \
    org.opencontainers.image.description="The graphs that relatent-service needs, in NVIDIA's Triton" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.base.name="${TRITON_IMAGE}" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}"
