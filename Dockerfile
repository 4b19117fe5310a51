# The page and the HTTP service of Cyano, on a CPU:
#
#   docker build -t cyano .
#   docker run --rm -p 127.0.0.1:8080:8080 cyano
#
# prints an address with a token. PyTorch with CUDA takes gigabytes: TORCH_INDEX is the index of CPU builds that
# pytorch.org names for "Compute Platform: CPU", and without it the usual one is taken:
#
#   docker build -t cyano --build-arg TORCH_INDEX=... .
#
# More: docs/how-to/serve.md.

FROM python:3.13 AS build
ARG TORCH_INDEX=""
RUN python -m venv /opt/cyano
ENV PATH=/opt/cyano/bin:$PATH
WORKDIR /src
COPY constraints.txt .
RUN pip install --no-cache-dir -c constraints.txt torch ${TORCH_INDEX:+--index-url "$TORCH_INDEX"}
COPY . .
RUN pip install --no-cache-dir -c constraints.txt ".[page,collections]"

FROM python:3.13-slim
COPY --from=build /opt/cyano /opt/cyano
RUN useradd --create-home cyano
USER cyano
WORKDIR /home/cyano
ENV PATH=/opt/cyano/bin:$PATH HF_HUB_OFFLINE=1
EXPOSE 8080
STOPSIGNAL SIGINT
ENTRYPOINT ["cyano", "serve", "--host", "0.0.0.0"]
